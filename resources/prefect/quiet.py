"""Prefect without its own lines on the console."""

from __future__ import annotations

import logging
import os

from resources.machine.secrets import hide_in_logs


def quiet_prefect() -> None:
    """Prefect's own lines go to its API, not to the console; to be called before Prefect is imported.

    What they say has no secret: its client tells addresses as it was given them.
    """
    hide_in_logs()
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    # Libraries that log through the root logger give it a handler for everything, if it has none.
    warnings = logging.StreamHandler()
    warnings.setLevel(logging.WARNING)
    warnings.addFilter(lambda record: not record.name.startswith("prefect"))
    logging.getLogger().addHandler(warnings)
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")

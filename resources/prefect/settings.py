"""A check of Prefect's settings in the environment and in files: a wrong setting makes the import of Prefect fail."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping
from tomllib import TOMLDecodeError
from urllib.parse import urlsplit

from orchestration.core.errors import MachineError

OURS = "PREFECT_"
ANY_TEXT = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
"""Any text is accepted here: other checks find what is wrong with these settings."""
OF_QUIET = ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW")
"""Settings that ``quiet`` sets. They are checked only together with others."""


def check_settings() -> None:
    """Raises MachineError that names the wrong variable. Imports Prefect only where settings of the user are set."""
    no_word_of_home()
    if (url := os.environ.get("PREFECT_API_URL")) and not _is_address(url):
        raise MachineError(
            "PREFECT_API_URL is no address of a server",
            "Set it to one like http://127.0.0.1:4200/api, or unset it to run without.",
        )
    names = {name for name in os.environ if name.upper().startswith(OURS)}
    if not names - {*ANY_TEXT, *OF_QUIET}:
        return
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    logging.getLogger("prefect.plugins").disabled = True  # it would log the same error with a traceback
    try:
        from prefect.settings import Settings

        Settings()
    except (ValidationError, SettingsError) as error:
        wrong = named_in(error, os.environ)
        raise MachineError(
            f"Prefect does not take {' and '.join(wrong) or 'its settings'} ({why(error)})",
            f"Correct {'it' if len(wrong) == 1 else 'them'}, or unset {'it' if len(wrong) == 1 else 'them'}.",
        ) from None


def no_word_of_home() -> None:
    """Hide Prefect's warning about a PREFECT_HOME that cannot be made. Only our own server stores anything there, and
    ``home`` reports an unusable folder."""
    warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")


def why(error: Exception) -> str:
    """What is wrong with a setting, in one line without the setting's value."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    if isinstance(error, TOMLDecodeError):
        return "a file of it is not TOML"
    return "it cannot be read as JSON"


def named_in(error: Exception, environ: Mapping[str, str]) -> list[str]:
    """The names of the variables that an error of Prefect's settings is about, as far as the error says."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        fields = [str(one["loc"][-1]) for one in error.errors(include_url=False) if one["loc"]]
    else:
        fields = re.findall(r'field "(\w+)"', str(error))
    ends = tuple(f"_{field.upper()}" for field in fields)
    return sorted(name for name in environ if name.upper().startswith(OURS) and name.upper().endswith(ends))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

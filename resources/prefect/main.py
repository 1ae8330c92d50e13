"""Prefect's own command, whose lines and errors have no secret: it tells addresses as it was given them.

    python -m resources.prefect.main worker start …

What it starts for a run is Prefect's own too; there `orchestration.flows` sees to it.
"""

from __future__ import annotations

import sys

from resources.machine.secrets import hide_in_logs


def main() -> None:
    """Do what ``prefect`` with these arguments does."""
    hide_in_logs()
    from prefect.cli import app

    sys.argv[0] = "prefect"
    app()


if __name__ == "__main__":
    main()

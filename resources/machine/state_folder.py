"""Where what this user's commands remember lies, outside of warehouses."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """``$XDG_STATE_HOME/aqi``, or ``~/.local/state/aqi``; it need not be there."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "aqi"

"""The page *Assets*."""

from __future__ import annotations

from typing import Any

from orchestration.reports.page.found import Found

TITLE = "Assets"


def facts(found: Found) -> dict[str, Any]:
    """JSON values."""
    return {"keys": list(found.keys)}

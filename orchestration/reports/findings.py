"""What `aqi doctor` found, a line at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.core.errors import LakehouseError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. remedy: what to do where it is not ok."""

    what: str
    ok: bool
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> str:
        line = f"{'ok    ' if self.ok else 'FAULT '} {self.what}: {self.found}"
        return line if self.ok or not self.remedy else f"{line}\n       → {self.remedy}"


def look(what: str, at: Callable[[], str]) -> Finding:
    """What ``at`` gives, or what it raises of LakehouseError or OSError."""
    try:
        return Finding(what, True, at())
    except LakehouseError as error:
        return Finding(what, False, error.message, error.remedy)
    except OSError as error:
        return Finding(what, False, str(error))


def look_for(what: str, at: Callable[[], str], needed: bool, without: str) -> Finding:
    """``without``: what is found where it is not there, or not as it must be, and nobody needs it."""
    finding = look(what, at)
    return finding if needed or finding.ok else Finding(what, True, without)

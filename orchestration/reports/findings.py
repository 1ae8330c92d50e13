"""What `aqi doctor` finds: a line each, with what to do where it is a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.core.errors import LakehouseError
from resources.machine.secrets import hidden


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


def look_at(what: str, look: Callable[[], str]) -> Finding:
    """What ``look`` found, or what it raised: LakehouseError or OSError. Without what is secret."""
    try:
        return Finding(what, True, hidden(look()))
    except LakehouseError as error:
        return Finding(what, False, hidden(error.message), hidden(error.remedy))
    except OSError as error:
        return Finding(what, False, hidden(str(error)))

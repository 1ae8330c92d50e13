"""The findings of `aqi doctor`: one line each, with the remedy for a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.core.errors import LakehouseError
from resources.machine.secrets import hidden


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding."""

    what: str
    """What was examined."""
    ok: bool
    """Whether it is as it should be."""
    found: str
    remedy: str = ""
    """What to do if it is not."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> str:
        line = f"{'ok    ' if self.ok else 'FAULT '} {self.what}: {self.found}"
        return line if self.ok or not self.remedy else f"{line}\n       → {self.remedy}"


def look_at(what: str, look: Callable[[], str]) -> Finding:
    """The finding about ``what``: what ``look`` returns, or the LakehouseError or OSError that it raises. Without
    secrets."""
    try:
        return Finding(what, True, hidden(look()))
    except LakehouseError as error:
        return Finding(what, False, hidden(error.message), hidden(error.remedy))
    except OSError as error:
        return Finding(what, False, hidden(str(error)))

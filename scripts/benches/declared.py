"""What a bench is: sides that do comparable work as whole processes, in turn, and the ratios that are asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_SECONDS = 3600.0
"""A command that takes longer is ended, and its side has failed."""


class Skipped(Exception):
    """A bench that cannot be made here, with the reason in words."""


def nothing() -> None:
    """What most sides do before their time begins."""


@dataclass(frozen=True)
class Side:
    """One of the things compared.

    commands: called one after the other; their seconds are added. before: what is done ahead of every round, outside
    of the time. environment: of the commands, whole. rows: hourly rows that one round makes, 0 where it makes none.
    limits_mib: what may be resident at most, by kind of process (``processes.Sample``).
    """

    name: str
    says: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    before: Callable[[], None] = nothing
    rows: int = 0
    limits_mib: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """Seconds of the side ``of``, divided by those of ``to``.

    limit: above it something is wrong; goal: what is aimed at; None: there is none. per_row: seconds per row instead.
    """

    of: str
    to: str
    limit: float | None = None
    goal: float | None = None
    per_row: bool = False


@dataclass(frozen=True)
class Bench:
    """Sides and their ratios. rounds: how many count, unless somebody says otherwise. warm_up: one more goes first."""

    name: str
    title: str
    sides: Sequence[Side]
    ratios: Sequence[Ratio]
    rounds: int = 3
    warm_up: bool = True
    notes: Sequence[str] = field(default_factory=tuple)

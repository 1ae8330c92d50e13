"""Holes for people: marks beside states, and lines with the commands that fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.commands import first_commands
from orchestration.core.state.freshness import Judgement, State
from orchestration.core.state.holes import HOLE, WANTED, Holes
from orchestration.core.state.judged import Alike
from orchestration.engine.holes import all_gaps, all_missing, read_holes
from orchestration.engine.workspace import Workspace


def marked(found: Iterable[Alike], of: Holes | None, since: Mapping[str, date]) -> Iterator[Alike]:
    """``found``, with marks on missing partitions: those that are wanted, with since when; and those that are in a gap.

    since: location → first wanted day.
    """
    for alike in found:
        if of is None or alike.judgement.state is not State.MISSING:
            yield alike
            continue
        left = alike.partitions
        wanted = left & of.missing
        by_day: dict[date, list[str]] = {}
        for location in wanted.locations:
            by_day.setdefault(since[location], []).append(location)
        some = [(f"{WANTED} {day}", wanted.restrict(at)) for day, at in sorted(by_day.items())]
        for mark, partitions in [*some, (HOLE, left & of.gaps)]:
            if partitions:
                yield _with_mark(alike, partitions, mark)
                left -= partitions
        if left:
            yield replace(alike, partitions=left)


def _with_mark(alike: Alike, partitions: PartitionSet, mark: str) -> Alike:
    def add(judgement: Judgement) -> Judgement:
        return replace(judgement, marks=(*judgement.marks, mark))

    judgement_before: Callable[[PartitionKey], Judgement] = alike.judgement_of
    return replace(
        alike,
        partitions=partitions,
        judgement=add(alike.judgement),
        judgement_of=lambda key: add(judgement_before(key)),
    )


def in_words(workspace: Workspace, found: Mapping[str, Holes]) -> list[str]:
    """The wanted partitions that do not exist, and the gaps; each with the commands that fill them."""
    lines = missing_in_words(workspace, found)
    gaps, declared = all_gaps(found), list(workspace.settings.since)
    earlier = gaps.restrict(locations=declared)
    for some, of_whom in (
        (gaps - earlier, "Nobody declared whether these are wanted (history.since)"),
        (earlier, "They lie before what is wanted (history.since)"),
    ):
        if some:
            lines.append(f"In no table, between days that are there: {_counted(some)}. {of_whom}. Fill them:")
            keys = [key for key, of in found.items() if of.gaps & some]
            lines += [f"  {line}" for line in first_commands(workspace.fill_commands(some, keys))]
    return lines


def missing_in_words(workspace: Workspace, found: Mapping[str, Holes]) -> list[str]:
    """The wanted partitions that do not exist, with the commands that make them; empty where all exist."""
    if not (missing := all_missing(found)):
        return []
    fill = first_commands(workspace.fill_commands(missing, _of(found, lambda of: of.missing)))
    return [f"Wanted (history.since) and not there: {_counted(missing)}. Fill it:", *(f"  {line}" for line in fill)]


def not_asked_for(workspace: Workspace, keys: Sequence[str], asked: PartitionSet) -> list[str]:
    """The wanted partitions of ``keys`` that do not exist and are not among ``asked``, with the commands that make
    them."""
    if not workspace.settings.since:
        return []
    found = read_holes(workspace, keys)
    return missing_in_words(workspace, {key: replace(of, missing=of.missing - asked) for key, of in found.items()})


def to_json(found: Mapping[str, Holes], since: Mapping[str, date]) -> list[dict[str, Any]]:
    """JSON values for each asset and location with something to report. Days are ranges, both ends included.

    since: location → first wanted day; null without one. wanted, missing: numbers of partitions.
    """
    return [
        {
            "asset": of.asset,
            "location": location,
            "since": since[location].isoformat() if location in since else None,
            "wanted": len(of.wanted.days_of(location)),
            "missing": len(of.missing.days_of(location)),
            "missing_days": str(of.missing.days_of(location)) if location in of.missing.locations else "",
            "hole_days": str(of.gaps.days_of(location)) if location in of.gaps.locations else "",
        }
        for of in found.values()
        for location in (of.wanted | of.gaps).locations
    ]


def _of(found: Mapping[str, Holes], part: Callable[[Holes], PartitionSet]) -> list[str]:
    return [key for key, of in found.items() if part(of)]


def _counted(partitions: PartitionSet) -> str:
    """``2025-08-08..2025-08-14 × hue (7 partitions)``."""
    count = len(partitions)
    return f"{partitions} ({count} partition{'' if count == 1 else 's'})"

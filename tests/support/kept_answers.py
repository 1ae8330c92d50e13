"""Answers as sources send them and the product keeps them, for tests of what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import RawAnswer
from resources.raw.answers import RawAnswers
from resources.raw.files import compressed
from resources.raw.index import NAME

quick = settings(max_examples=40, deadline=None)

FEED, OTHER = "bronze.feed", "bronze.other"
FIRST = datetime.fromisoformat("2025-08-20T06:00:00Z")
LATER = date(2026, 1, 1)


def day(number: int) -> date:
    """A day counted from the first of August 2025."""
    return date(2025, 7, 31) + timedelta(number)


def answer(
    hours: float = 0,
    first: int = 1,
    last: int | None = None,
    locations: tuple[str, ...] = ("hue",),
    body: bytes = b'{"hourly":[1,null]}',
    **more: Any,
) -> RawAnswer:
    """Asked so many hours after FIRST, for some days of August."""
    asked = more.pop("asked", iso(FIRST + timedelta(hours=hours)))
    request = {"locations": list(locations), "variables": ["level"], "at": [21.0, None]}
    said = RawAnswer(
        FEED,
        "gauges",
        asked,
        "run-1",
        False,
        day(first),
        day(first if last is None else last),
        locations,
        request,
        body,
    )
    return replace(said, **more)


def files_of(folder: Path) -> list[str]:
    """But for those of the index."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != NAME]
    return sorted(str(path.relative_to(folder)) for path in files)


def raw_of(folder: Path, *kept: RawAnswer) -> RawAnswers:
    raw = RawAnswers(str(folder))
    for one in kept:
        raw.keep(one)
    return raw


moments = st.integers(0, 4 * 24 * 3600).map(lambda seconds: iso(FIRST + timedelta(seconds=seconds)))
some_answers = st.builds(
    lambda asked, first, length, locations, body, run, forced, asset: answer(
        0,
        first,
        first + length,
        tuple(sorted(locations)),
        body,
        asked=asked,
        run_id=run,
        forced=forced,
        asset=asset,
    ),
    moments,
    st.integers(1, 20),
    st.integers(0, 4),
    st.frozensets(st.sampled_from(["hanoi", "hue", "vinh"]), min_size=1),
    st.binary(max_size=60),
    st.sampled_from(["run-1", "run-2"]),
    st.booleans(),
    st.sampled_from([FEED, OTHER]),
)
many = st.lists(some_answers, max_size=8)
asked_for = st.builds(
    lambda first, length, locations: PartitionSet.of(Days.of(day(first), day(first + length)), locations),
    st.integers(1, 24),
    st.integers(0, 3),
    st.frozensets(st.sampled_from(["hanoi", "hue", "vinh"]), min_size=1),
)


@contextmanager
def a_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[:-20],
    "empty": lambda content: b"",
    "text": lambda content: b"not compressed",
    "a bit": lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
    "another answer": lambda content: compressed(b"{}\nbody"),
}


class Killed(BaseException):
    pass


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on the process is killed at the so many-th change of a file."""
    left = [number]

    def watched(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return change(*arguments, **named)

        return call

    for name in ("pipe_file", "mv", "rm_file"):
        monkeypatch.setattr(LocalFileSystem, name, watched(getattr(LocalFileSystem, name)))
    return monkeypatch.undo

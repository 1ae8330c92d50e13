"""Moments at which nothing new came: kept, the latest read, put together, broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from resources.raw.moments import Moments
from tests.support.records import key, keys

quick = settings(max_examples=60, deadline=None)

FEED = "bronze.feed"
FIRST = datetime.fromisoformat("2025-08-20T06:00:00Z")
LATER = date(2026, 1, 1)


def at(hours: int) -> str:
    return iso(FIRST + timedelta(hours=hours))


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


asked = st.dictionaries(
    st.builds(key, st.integers(1, 5), st.sampled_from(["hanoi", "hue"])), st.integers(0, 90).map(at), max_size=6
)
kept = st.lists(st.tuples(st.sampled_from(["run-1", "run-2", "run-3"]), asked), max_size=6)


def latest(all_of: list[tuple[str, dict[PartitionKey, str]]]) -> dict[PartitionKey, str]:
    found: dict[PartitionKey, str] = {}
    for _, one in all_of:
        for partition, moment in one.items():
            found[partition] = max(moment, found.get(partition, ""))
    return found


@quick
@given(kept, st.integers(0, 5), st.integers(0, 90), st.booleans())
def test_the_latest_of_each_partition_is_read(
    all_of: list[tuple[str, dict[PartitionKey, str]]], days: int, since: int, again: bool
) -> None:
    """Whatever was put together meanwhile."""
    before = date(2025, 8, 20) + timedelta(days)
    with TemporaryDirectory() as folder:
        moments = Moments(folder)
        for at_run, (run, one) in enumerate(all_of):
            moments.keep(FEED, run, one)
            if again and at_run % 2:
                moments.pack(FEED, before, at(since))
        assert moments.read(FEED) == latest(all_of)
        would = moments.pack(FEED, before, at(since), dry_run=True)
        assert moments.pack(FEED, before, at(since)) == would
        assert moments.read(FEED) == latest(all_of)
        assert moments.pack(FEED, before, at(since)) == 0
        named = moments.named(FEED)
        for _, one in all_of:
            for partition, moment in one.items():
                if moment >= at(since) or latest(all_of)[partition] == moment:
                    assert partition in named[moment], "needed to tell what is an orphan"
        said = {moment for _, one in all_of for moment in one.values()}
        assert named.keys() <= said
        assert moments.broken(FEED) == ()


def test_a_file_a_table_and_run(tmp_path: Path) -> None:
    moments = Moments(str(tmp_path))
    moments.keep(FEED, "run-1", {key(1): at(0), key(2): at(0)})
    moments.keep(FEED, "run-1", {key(3): at(1)})
    moments.keep(FEED, "run-2", {key(3): at(2)})
    moments.keep("bronze.other", "run-1", {key(3): at(9)})
    moments.keep("bronze.other", "run-2", {})
    assert files_of(tmp_path) == [
        "_aqi/moments/bronze.feed/run-1.json",
        "_aqi/moments/bronze.feed/run-2.json",
        "_aqi/moments/bronze.other/run-1.json",
    ]
    text = (tmp_path / "_aqi/moments/bronze.feed/run-1.json").read_text(encoding="utf-8")
    assert text == (
        '[{"asked":"2025-08-20T06:00:00Z","partitions":[["hue","2025-08-01","2025-08-02"]]},'
        '{"asked":"2025-08-20T07:00:00Z","partitions":[["hue","2025-08-03","2025-08-03"]]}]'
    )
    assert moments.named(FEED) == {at(0): keys(1, 2), at(1): keys(3), at(2): keys(3)}


def test_runs_of_old_become_one_file(tmp_path: Path) -> None:
    moments = Moments(str(tmp_path))
    moments.keep(FEED, "run-1", {key(1): at(0), key(2): at(0)})
    moments.keep(FEED, "run-2", {key(1): at(3)})
    moments.keep(FEED, "run-3", {key(1): at(30)})
    assert moments.pack(FEED, date(2025, 8, 21), at(10)) == 2
    packed, run = files_of(tmp_path)
    assert Path(packed).name.startswith("packed-")
    assert run.endswith("run-3.json")
    assert moments.named(FEED) == {at(0): keys(2), at(30): keys(1)}, "what is old and not the last is left out"
    assert moments.read(FEED) == {key(1): at(30), key(2): at(0)}


def test_nothing_is_kept(tmp_path: Path) -> None:
    moments = Moments(str(tmp_path))
    assert (moments.read(FEED), moments.named(FEED), moments.broken(FEED)) == ({}, {}, ())
    assert moments.pack(FEED, LATER, at(0)) == 0


@pytest.mark.parametrize(
    "content", ["", "{", "3", "{}", '["x"]', '[{"asked":"x","partitions":[]}]', '[{"asked":"2025-08-20T06:00:00Z"}]']
)
def test_a_broken_file_is_passed_over_and_named(tmp_path: Path, content: str) -> None:
    moments = Moments(str(tmp_path))
    moments.keep(FEED, "run-1", {key(1): at(0)})
    moments.keep(FEED, "run-2", {key(1): at(3)})
    path = tmp_path / "_aqi/moments" / FEED / "run-2.json"
    path.write_text(content, encoding="utf-8")
    if content != "{}":  # which says nothing, in another way
        assert [named.partition(" ")[0] for named in moments.broken(FEED)] == [f"_aqi/moments/{FEED}/run-2.json"]
    assert moments.read(FEED) == {key(1): at(0)}
    moments.pack(FEED, LATER, at(0))
    assert moments.read(FEED) == {key(1): at(0)}
    moments.keep(FEED, "run-2", {key(2): at(5)})
    assert moments.read(FEED) == {key(1): at(0), key(2): at(5)}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("number", range(6))
def test_a_kill_while_they_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    moments = Moments(str(tmp_path))
    for run in range(3):
        moments.keep(FEED, f"run-{run}", {key(run): at(run), key(9): at(run)})
    before, left = moments.read(FEED), [number]

    def watched(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return change(*arguments, **named)

        return call

    for name in ("pipe_file", "mv", "rm_file"):
        monkeypatch.setattr(LocalFileSystem, name, watched(getattr(LocalFileSystem, name)))
    with pytest.raises((Killed, AssertionError)):
        moments.pack(FEED, LATER, at(0))
        raise AssertionError
    monkeypatch.undo()
    assert moments.read(FEED) == before
    moments.pack(FEED, LATER, at(0))
    assert moments.read(FEED) == before
    assert not [path for path in files_of(tmp_path) if path.endswith("-1.json")]


def test_where_they_cannot_be_kept_or_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_aqi").write_text("a file", encoding="utf-8")
    with pytest.raises(OSError):
        Moments(str(tmp_path)).keep(FEED, "run-1", {key(1): at(0)})

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    with pytest.raises(WarehouseError, match="cannot be read"):
        Moments(str(tmp_path)).read(FEED)

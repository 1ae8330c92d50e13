"""Kept raw answers: written and read back, found by partition and moment, packed, broken, removed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import RawAnswer
from resources.raw import answers as module
from resources.raw import packs
from resources.raw.answers import Found, RawAnswers
from resources.raw.files import RawFile, decompressed
from resources.storage import atomic_files
from tests.support.kept_answers import (
    FEED,
    LATER,
    OTHER,
    Killed,
    a_folder,
    answer,
    asked_for,
    files_of,
    killed_at,
    many,
    moments,
    quick,
    raw_of,
    some_answers,
)
from tests.support.records import keys

# --- kept and read back ---------------------------------------------------------------------------


@quick
@given(some_answers)
def test_an_answer_reads_back_as_it_was(one: RawAnswer) -> None:
    with a_folder() as folder:
        raw = RawAnswers(str(folder))
        name = raw.keep(one)
        (file,) = raw.of(one.asset, one.partitions)
        assert raw.read(file) == one
        assert file.name == name
        assert file.partitions == one.partitions
        assert (file.asked, file.run_id, file.forced, file.source) == (one.asked, one.run_id, one.forced, one.source)
        assert (file.request, file.locations) == (one.request, one.locations)


def test_where_it_lies(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(first=8, last=14))
    (path,) = files_of(tmp_path)
    assert path.startswith(f"_aqi/raw/{FEED}/2025-08-20/20250820T060000Z_2025-08-08_2025-08-14_")
    (file,) = raw.all(FEED).files
    assert file.size == (tmp_path / path).stat().st_size
    assert f"_aqi/raw/{file.path}" == path


def test_it_can_be_looked_at_without_us(tmp_path: Path) -> None:
    raw_of(tmp_path, answer(body=b"word for word\n"))
    (path,) = files_of(tmp_path)
    header, body = decompressed((tmp_path / path).read_bytes()).split(b"\n", 1)
    assert body == b"word for word\n"
    assert b'"asked":"2025-08-20T06:00:00Z"' in header


def test_the_same_twice_is_one_file(tmp_path: Path) -> None:
    assert raw_of(tmp_path).keep(answer()) == raw_of(tmp_path).keep(answer())
    assert len(files_of(tmp_path)) == 1
    raw_of(tmp_path, answer(run_id="run-2"))
    assert len(files_of(tmp_path)) == 2, "another run asked"


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "_aqi").write_text("a file", encoding="utf-8")
    with pytest.raises(OSError):
        RawAnswers(str(tmp_path)).keep(answer())


def test_nothing_is_kept(tmp_path: Path) -> None:
    raw = RawAnswers(str(tmp_path))
    assert raw.of(FEED, keys(1)) == []
    assert raw.all(FEED) == Found(())
    assert raw.broken(FEED) == ()
    assert raw.pack(FEED, LATER) == 0


# --- found ----------------------------------------------------------------------------------------


@quick
@given(many, asked_for, st.one_of(st.just(""), moments))
def test_what_is_found(kept: list[RawAnswer], wanted: PartitionSet, since: str) -> None:
    """Those that asked for a partition, in the order of asking: as who reads all of them would find."""
    with a_folder() as folder:
        raw = raw_of(folder, *kept)
        found = [raw.read(file) for file in raw.of(FEED, wanted, since)]
        expected = [one for one in kept if one.asset == FEED and one.partitions & wanted and one.asked >= since]
        assert [one.asked for one in found] == sorted({_id(one): one.asked for one in expected}.values())
        assert {_id(one) for one in found} == {_id(one) for one in expected}


def _id(one: RawAnswer) -> tuple[Any, ...]:
    return one.asked, one.run_id, one.forced, one.first, one.last, one.locations, one.body


def test_moments_within_a_second(tmp_path: Path) -> None:
    late, early = answer(asked="2025-08-20T06:00:00.500000Z"), answer(asked="2025-08-20T06:00:00Z")
    raw = raw_of(tmp_path, late, early)
    assert [file.asked for file in raw.of(FEED, keys(1))] == [early.asked, late.asked]
    assert [file.asked for file in raw.of(FEED, keys(1), since="2025-08-20T06:00:00.25Z")] == [late.asked]


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_other_days_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    raw = raw_of(tmp_path, *(answer(number, first=number) for number in range(1, 9)), answer(9, first=1, last=8))
    if packed:
        assert raw.pack(FEED, LATER) == 9
    read, cat = [], LocalFileSystem.cat_file

    def count(files: Any, path: str, start: int | None = None, end: int | None = None, **more: Any) -> bytes:
        content: bytes = cat(files, path, start=start, end=end, **more)
        read.append((path.rpartition("/")[2], len(content)))
        return content

    monkeypatch.setattr(LocalFileSystem, "cat_file", count)
    assert len(raw.of(FEED, keys(3))) == 2
    assert len(raw.of(FEED, keys(20))) == 0
    if packed:
        assert [name.startswith("pack_2025-08-01_2025-08-08_") for name, _ in read] == [True] * 2, (
            "its index, and two files"
        )
    else:
        assert len(read) == 2


# --- packed ---------------------------------------------------------------------------------------


@quick
@given(many, asked_for, st.integers(0, 5), st.integers(1, 400))
def test_packing_changes_nothing_that_is_found(
    kept: list[RawAnswer], wanted: PartitionSet, days: int, most: int
) -> None:
    with a_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PACK_BYTES", most)
        raw = raw_of(folder, *kept[: len(kept) // 2])
        raw.pack(FEED, date(2025, 8, 20) + timedelta(days))
        for one in kept[len(kept) // 2 :]:  # late ones, and doubles
            raw.keep(one)
        all_before, of_before = raw.all(FEED), raw.of(FEED, wanted)
        bodies = [raw.read(file) for file in all_before.files]
        would = raw.pack(FEED, date(2025, 8, 20) + timedelta(days), dry_run=True)
        assert raw.pack(FEED, date(2025, 8, 20) + timedelta(days)) == would
        assert raw.all(FEED) == all_before
        assert raw.of(FEED, wanted) == of_before
        assert [raw.read(file) for file in all_before.files] == bodies, "by what was found before"
        assert raw.pack(FEED, date(2025, 8, 20) + timedelta(days)) == 0


def test_a_day_is_one_pack(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1), answer(20), answer(1, asset=OTHER))
    assert raw.pack(FEED, date(2025, 8, 20)) == 0
    assert raw.pack(FEED, date(2025, 8, 21)) == 2
    names = [Path(path) for path in files_of(tmp_path) if FEED in path]
    assert [(path.parent.name, path.name[:5]) for path in names] == [("2025-08-20", "pack_"), ("2025-08-21", "20250")]
    raw.keep(answer(2))
    assert raw.pack(FEED, date(2025, 8, 21)) == 1
    assert len([path for path in files_of(tmp_path) if "2025-08-20/pack_" in path]) == 1, "it was put into the other"
    assert [file.asked for file in raw.all(FEED).files] == [answer(hours).asked for hours in (0, 1, 2, 20)]


def test_a_pack_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path, *(answer(minute / 60) for minute in range(20)))
    before = raw.all(FEED)
    monkeypatch.setattr(module, "PACK_BYTES", 4 * before.files[0].size)
    assert raw.pack(FEED, LATER) == 20
    sizes = [(tmp_path / path).stat().st_size for path in files_of(tmp_path)]
    assert len(sizes) in (5, 6, 7)
    assert max(sizes) < 4 * before.files[0].size + 1000
    assert raw.all(FEED) == before


@pytest.mark.parametrize("number", range(12))
def test_a_kill_while_files_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    raw.pack(FEED, LATER)
    for one in (answer(2), answer(3), answer(30)):
        raw.keep(one)
    before = raw.all(FEED)
    again = killed_at(number, monkeypatch)
    with pytest.raises((Killed, AssertionError)):
        raw.pack(FEED, LATER)
        raise AssertionError
    again()
    assert raw.all(FEED) == before, "each once"
    raw.pack(FEED, LATER)
    assert raw.all(FEED) == before
    assert [Path(path).name[:5] for path in files_of(tmp_path)] == ["pack_"] * 2, "nothing is left of the killed"


@pytest.mark.parametrize("number", range(8))
def test_a_kill_while_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    raw = raw_of(tmp_path, *(answer(hours) for hours in range(4)))
    raw.pack(FEED, LATER)
    raw.keep(answer(4))
    all_of = raw.all(FEED).files
    again = killed_at(number, monkeypatch)
    with pytest.raises((Killed, AssertionError)):
        raw.remove(all_of[1:3] + all_of[4:])
        raise AssertionError
    again()
    assert set(raw.all(FEED).files) >= {all_of[0], all_of[3]}
    raw.remove(all_of[1:3] + all_of[4:])
    assert raw.all(FEED).files == (all_of[0], all_of[3])


def test_another_maintenance_packs_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between what it read and what it removes, the other packs too, and one more answer comes."""
    raw = raw_of(tmp_path, answer(0), answer(1))
    write = packs.write_pack

    def meanwhile(*arguments: Any) -> str:
        monkeypatch.setattr(module, "write_pack", write)
        raw.keep(answer(2))
        raw.pack(FEED, LATER)
        return write(*arguments)

    monkeypatch.setattr(module, "write_pack", meanwhile)
    raw.pack(FEED, LATER)
    assert [file.asked for file in raw.all(FEED).files] == [answer(hours).asked for hours in range(3)]


def test_files_that_are_packed_while_they_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    before = raw.all(FEED)
    names_in = atomic_files.names_in

    def meanwhile(files: Any, folder: str) -> list[str]:
        names: list[str] = names_in(files, folder)
        if folder.endswith("2025-08-20"):
            monkeypatch.setattr(module, "names_in", names_in)
            raw.pack(FEED, LATER)
        return names

    monkeypatch.setattr(module, "names_in", meanwhile)
    assert raw.all(FEED) == before
    assert all("pack_" in file.path for file in raw.all(FEED).files)
    raw.keep(answer(2))
    (_, _, last) = raw.all(FEED).files
    monkeypatch.setattr(module, "names_in", meanwhile)
    assert raw.read(last) == answer(2)


# --- removed --------------------------------------------------------------------------------------


@quick
@given(many, st.data())
def test_what_is_removed_is_gone_and_nothing_else(kept: list[RawAnswer], data: st.DataObject) -> None:
    with a_folder() as folder:
        raw = raw_of(folder, *kept)
        raw.pack(FEED, date(2025, 8, 22))
        there = raw.all(FEED).files
        gone = data.draw(st.lists(st.sampled_from(there), unique=True) if there else st.just([]))
        assert raw.remove(gone) == len(gone)
        assert raw.all(FEED).files == tuple(file for file in there if file not in gone)
        assert raw.remove(gone) == len(gone), "again is no matter"


def test_a_day_of_which_nothing_is_left(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1), answer(24))
    raw.pack(FEED, date(2025, 8, 21))
    files: tuple[RawFile, ...] = raw.all(FEED).files
    raw.remove(files)
    assert list((tmp_path / "_aqi" / "raw" / FEED).iterdir()) == []

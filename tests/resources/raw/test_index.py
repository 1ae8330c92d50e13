"""The index of raw answers: what is gone is known, what was not needed is not gone, whenever somebody is killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import RawAnswer
from resources.raw import index as module
from resources.raw.answers import RawAnswers
from resources.raw.index import NAME
from resources.raw.renames import Renamed
from resources.storage import atomic_files
from tests.support.kept_answers import (
    DAMAGE,
    FEED,
    LATER,
    OTHER,
    Killed,
    a_folder,
    answer,
    files_of,
    killed_at,
    many,
    quick,
    raw_of,
)
from tests.support.records import keys

AUGUST = keys(*range(1, 32))


def index_of(folder: Path) -> list[str]:
    """The files of the index, hidden ones too."""
    return sorted(path.name for path in (folder / "_aqi" / "raw" / FEED / NAME).glob("*"))


def named(folder: Path) -> set[str]:
    """The answers that the index names."""
    paths = (folder / "_aqi" / "raw" / FEED / NAME).glob("[!.]*")
    return {name for path in paths for one in json.loads(path.read_bytes())["kept"] for name in one["names"]}


def there(raw: RawAnswers) -> set[str]:
    return {file.name for file in raw.all(FEED).files}


def unlink(folder: Path, raw: RawAnswers, *numbers: int) -> None:
    """Somebody removes answers."""
    files = raw.all(FEED).files
    for number in numbers:
        (folder / "_aqi" / "raw" / files[number].path).unlink()


# --- what is lost ---------------------------------------------------------------------------------


def test_an_answer_that_is_gone_is_lost(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0, 1, 3), answer(1, 2, locations=("hue", "vinh")), answer(2, run_id="run-2"))
    assert raw.lost(FEED, AUGUST) == []
    unlink(tmp_path, raw, 0, 2)
    assert raw.lost(FEED, AUGUST) == [("2025-08-20T06:00:00Z", keys(1, 2, 3)), ("2025-08-20T08:00:00Z", keys(1))]
    assert raw.lost(FEED, keys(2)) == [("2025-08-20T06:00:00Z", keys(2))]
    assert raw.lost(FEED, keys(4)) == []
    assert raw.lost(OTHER, AUGUST) == []
    raw.keep(answer(2, run_id="run-2"))
    assert raw.lost(FEED, keys(1)) == [("2025-08-20T06:00:00Z", keys(1))], "put back"


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_broken_is_lost(tmp_path: Path, damage: Callable[[bytes], bytes], packed: bool) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    if packed:
        raw.pack(FEED, LATER)
    before = raw.all(FEED).files
    (path, *_) = files_of(tmp_path)
    (tmp_path / path).write_bytes(damage((tmp_path / path).read_bytes()))
    found = raw.all(FEED).files
    assert found != before
    assert [asked for asked, _ in raw.lost(FEED, AUGUST)] == [file.asked for file in before if file not in found]


def test_what_is_not_in_the_index_is_an_answer_like_any_other(tmp_path: Path) -> None:
    """Of a warehouse of before, or of a run that was killed between the two."""
    raw = raw_of(tmp_path, answer(0), answer(1))
    for name in index_of(tmp_path):
        (tmp_path / "_aqi" / "raw" / FEED / NAME / name).unlink()
    assert len(raw.of(FEED, AUGUST)) == 2
    unlink(tmp_path, raw, 0)
    assert raw.lost(FEED, AUGUST) == []
    raw.pack(FEED, LATER)
    raw.remove(raw.all(FEED).files)
    assert raw.lost(FEED, AUGUST) == []


def test_under_the_keys_of_today(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0))
    raw.rename(FEED, Renamed("hue", "phu_xuan", "rename-1"))
    raw.keep(answer(1, run_id="run-2"))  # of another location that has the old key now
    unlink(tmp_path, raw, 0, 1)
    raw.pack(FEED, LATER)
    both = AUGUST | keys(*range(1, 32), location="phu_xuan")
    first, second = ("2025-08-20T06:00:00Z", keys(1, location="phu_xuan")), ("2025-08-20T07:00:00Z", keys(1))
    assert raw.lost(FEED, both) == [first, second]


def test_an_answer_that_is_kept_while_somebody_looks_is_not_lost(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0))
    found = raw.of(FEED, AUGUST)
    raw.keep(answer(1))
    assert raw.lost(FEED, AUGUST, found) == []


def test_what_was_found_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    found = raw.of(FEED, AUGUST)
    monkeypatch.setattr(RawAnswers, "look", None)
    assert raw.lost(FEED, AUGUST, found) == []


# --- written --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4))
def test_a_kill_while_an_answer_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Nothing is lost that nobody kept, and what was kept before is still named."""
    raw = raw_of(tmp_path, answer(0))
    before = named(tmp_path)
    again = killed_at(number, monkeypatch)
    with pytest.raises(Killed):
        raw.keep(answer(1))
    again()
    assert raw.lost(FEED, AUGUST) == []
    assert before <= named(tmp_path) <= there(raw)
    name = raw.keep(answer(1))
    assert named(tmp_path) == {*before, name}
    raw.pack(FEED, LATER)
    assert [file[:7] for file in index_of(tmp_path)] == ["packed-"], "nothing is left of the killed"


def test_several_threads_of_a_run(tmp_path: Path) -> None:
    raw, start = RawAnswers(str(tmp_path)), threading.Barrier(8)

    def keep(number: int) -> list[str]:
        start.wait()
        return [raw.keep(answer(number + 8 * turn, locations=(f"l{number}",))) for turn in range(6)]

    with ThreadPoolExecutor(8) as pool:
        names = {name for of in pool.map(keep, range(8)) for name in of}
    assert named(tmp_path) == names == there(raw)
    assert index_of(tmp_path) == ["run-1.json"]


def test_again_it_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path, answer())
    monkeypatch.setattr(module, "write_atomically", None)
    raw.keep(answer())


def test_where_it_cannot_be_written_the_answer_is_not_kept(tmp_path: Path) -> None:
    raw = raw_of(tmp_path)
    folder = tmp_path / "_aqi" / "raw" / FEED
    folder.mkdir(parents=True)
    (folder / NAME).write_text("a file", encoding="utf-8")
    with pytest.raises(OSError):
        raw.keep(answer())


def test_what_a_run_kept_is_not_forgotten_where_its_file_cannot_be_read(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0))
    (tmp_path / "_aqi" / "raw" / FEED / NAME / "run-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(OSError, match=r"run-1\.json cannot be read"):
        raw.keep(answer(1))
    raw.keep(answer(1, run_id="run-2"))


def test_a_run_of_three_hundred_requests_has_a_small_file(tmp_path: Path) -> None:
    locations = tuple(f"location_{number}" for number in range(100))
    raw_of(tmp_path, *(answer(minute / 60, locations=locations, body=b"") for minute in range(300)))
    assert len(named(tmp_path)) == 300
    assert (tmp_path / "_aqi" / "raw" / FEED / NAME / "run-1.json").stat().st_size < 300 * 80


# --- packed ---------------------------------------------------------------------------------------


def test_files_of_runs_that_are_over_are_one(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1, run_id="run-2"), answer(20, run_id="run-2"), answer(2, run_id="run-3"))
    names = named(tmp_path)
    raw.pack(FEED, date(2025, 8, 21), dry_run=True)
    assert index_of(tmp_path) == ["run-1.json", "run-2.json", "run-3.json"]
    raw.pack(FEED, date(2025, 8, 21))
    packed, left = index_of(tmp_path)
    assert (packed[:7], left) == ("packed-", "run-2.json"), "it asked last on the next day"
    raw.keep(answer(3, run_id="run-4"))
    raw.pack(FEED, LATER)
    (packed,) = index_of(tmp_path)
    assert named(tmp_path) == {*names, *there(raw)}
    raw.pack(FEED, LATER)
    assert index_of(tmp_path) == [packed]


@pytest.mark.parametrize("number", range(9))
def test_a_kill_while_it_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1, run_id="run-2"))
    raw.pack(FEED, LATER)
    for run in ("run-3", "run-4", "run-5"):
        raw.keep(answer(2, run_id=run))
    unlink(tmp_path, raw, -1)
    before, lost = named(tmp_path), raw.lost(FEED, AUGUST)
    assert len(lost) == 1
    again = killed_at(number, monkeypatch)
    with pytest.raises((Killed, AssertionError)):
        raw.pack(FEED, LATER)
        raise AssertionError
    again()
    assert (named(tmp_path), raw.lost(FEED, AUGUST)) == (before, lost)
    raw.pack(FEED, LATER)
    assert (named(tmp_path), raw.lost(FEED, AUGUST)) == (before, lost)


def test_packed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1, run_id="run-2"))
    unlink(tmp_path, raw, 0)
    before = raw.lost(FEED, AUGUST)
    names_in = atomic_files.names_in

    def meanwhile(files: Any, folder: str) -> list[str]:
        names: list[str] = names_in(files, folder)
        monkeypatch.setattr(module, "names_in", names_in)
        raw.pack(FEED, LATER)
        return names

    monkeypatch.setattr(module, "names_in", meanwhile)
    assert raw.lost(FEED, AUGUST) == before
    assert len(before) == 1


# --- removed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("number", range(14))
def test_a_kill_while_answers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, packed: bool
) -> None:
    """What retention removes is never lost, and what somebody else removed stays so."""
    raw = raw_of(tmp_path, *(answer(hours) for hours in range(4)))
    if packed:
        raw.pack(FEED, LATER)
    for hours, run in ((4, "run-2"), (5, "run-3"), (6, "run-3")):
        raw.keep(answer(hours, run_id=run))
    files = raw.all(FEED).files
    unlink(tmp_path, raw, 6)
    lost = raw.lost(FEED, AUGUST)
    assert len(lost) == 1
    gone = [*files[1:3], *files[4:6]]
    again = killed_at(number, monkeypatch)
    with pytest.raises((Killed, AssertionError)):
        raw.remove(gone)
        raise AssertionError
    again()
    assert raw.lost(FEED, AUGUST) == lost
    assert {files[0].name, files[3].name} <= there(raw)
    raw.remove(gone)
    assert raw.lost(FEED, AUGUST) == lost
    assert named(tmp_path) == {files[0].name, files[3].name, files[6].name}


def test_an_owner_that_is_removed_is_missed(tmp_path: Path) -> None:
    """Where owners need not be kept: a table that is lost later cannot be made of the others."""
    raw = raw_of(tmp_path, answer(0), answer(1))
    files = raw.all(FEED).files
    raw.remove(files, owners={files[0].name})
    assert there(raw) == set()
    assert raw.lost(FEED, AUGUST) == [(files[0].asked, keys(1))]


def test_nothing_is_left_of_it_where_nothing_is_kept(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1, run_id="run-2"))
    raw.remove(raw.all(FEED).files)
    assert list((tmp_path / "_aqi" / "raw" / FEED).iterdir()) == []


@quick
@given(many, st.data())
def test_lost_is_what_others_removed(kept: list[RawAnswer], data: st.DataObject) -> None:
    """Some answers are removed by retention, others by hand, before and after they are packed."""
    with a_folder() as folder:
        raw = raw_of(folder, *(replace(one, asset=FEED) for one in kept))
        if data.draw(st.booleans()):
            raw.pack(FEED, date(2025, 8, 22))
        files = raw.all(FEED).files
        some = st.lists(st.sampled_from(files), unique=True) if files else st.just([])
        retained, by_hand = data.draw(some), data.draw(some)
        raw.remove(retained)
        wanted = []
        for file in files:
            path = folder / "_aqi" / "raw" / file.path
            if file in by_hand and file not in retained and path.is_file():
                path.unlink()
                wanted.append(file.partitions)
        if data.draw(st.booleans()):
            raw.pack(FEED, LATER)
        all_of = PartitionSet.union_of(file.partitions for file in files)
        lost = raw.lost(FEED, all_of)
        assert sorted(str(of) for _, of in lost) == sorted(map(str, wanted))
        assert [asked for asked, _ in lost] == sorted(asked for asked, _ in lost)


# --- broken ---------------------------------------------------------------------------------------

WRONG = {
    "cut off": '{"format":1,"kept":[',
    "another thing": "[]",
    "another format": '{"format":9}',
    "names of nothing": '{"format":1,"kept":[{"locations":["hue"],"names":["x"]}]}',
    "no names": '{"format":1,"kept":[{"locations":["hue"]}]}',
    "a number": '{"format":1,"kept":[{"locations":3,"names":[]}]}',
    "not text": "\udcff",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    """What is gone is not known then, and that is said with its remedy; nothing else is in trouble."""
    raw = raw_of(tmp_path, answer(0), answer(1, run_id="run-2"))
    path = tmp_path / "_aqi" / "raw" / FEED / NAME / "run-1.json"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    (said,) = raw.broken_index(FEED)
    assert said.startswith(f"{FEED}/{NAME}/run-1.json (")
    with pytest.raises(WarehouseError, match=r"run-1\.json .*which raw answers") as raised:
        raw.lost(FEED, AUGUST)
    assert "Restore it from a copy" in raised.value.remedy
    assert len(raw.of(FEED, AUGUST)) == 2
    assert raw.broken(FEED) == ()
    raw.pack(FEED, LATER)
    raw.remove(raw.of(FEED, AUGUST)[1:])
    assert path.exists(), "it stays, to be looked at"
    path.unlink()
    assert raw.lost(FEED, AUGUST) == []


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    raw = raw_of(tmp_path, answer())
    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    with pytest.raises(WarehouseError, match="cannot be read"):
        raw.lost(FEED, AUGUST)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer())
    notes = tmp_path / "_aqi" / "raw" / FEED / NAME / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    assert raw.lost(FEED, AUGUST) == []
    raw.pack(FEED, LATER)
    raw.remove(raw.all(FEED).files)
    assert notes.exists()

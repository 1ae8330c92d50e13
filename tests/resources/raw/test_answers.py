"""Kept raw answers: written and read back, found by partition and moment, packed, broken, removed."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import RawAnswer
from resources.raw import answers as module
from resources.raw import packs
from resources.raw.answers import Found, RawAnswers
from resources.raw.files import RawFile, compressed, decompressed
from resources.raw.index import NAME
from resources.storage import whole_files
from tests.support.records import keys

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
    places: tuple[str, ...] = ("hue",),
    body: bytes = b'{"hourly":[1,null]}',
    **more: Any,
) -> RawAnswer:
    """Asked so many hours after FIRST, for some days of August."""
    asked = more.pop("asked", iso(FIRST + timedelta(hours=hours)))
    request = {"places": list(places), "variables": ["level"], "at": [21.0, None]}
    said = RawAnswer(
        FEED, "gauges", asked, "run-1", False, day(first), day(first if last is None else last), places, request, body
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
    lambda asked, first, length, places, body, run, forced, asset: answer(
        0,
        first,
        first + length,
        tuple(sorted(places)),
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
    lambda first, length, places: PartitionSet.of(Days.of(day(first), day(first + length)), places),
    st.integers(1, 24),
    st.integers(0, 3),
    st.frozensets(st.sampled_from(["hanoi", "hue", "vinh"]), min_size=1),
)


@contextmanager
def a_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


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
    names_in = whole_files.names_in

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


# --- broken ---------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[:-20],
    "empty": lambda content: b"",
    "text": lambda content: b"not compressed",
    "a bit": lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
    "another answer": lambda content: compressed(b"{}\nbody"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_file_is_named_and_in_nobodys_way(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    first, second = raw.all(FEED).files
    path = tmp_path / "_aqi" / "raw" / first.path
    path.write_bytes(damage(path.read_bytes()))
    assert raw.of(FEED, keys(1)) == [second]
    (named,) = raw.broken(FEED)
    assert named.startswith(f"{first.path} (")
    with pytest.raises(WarehouseError, match=first.name):
        raw.read(first)
    assert raw.pack(FEED, LATER) == 1
    assert raw.of(FEED, keys(1)) == [second]
    assert raw.broken(FEED) == (named,), "it stays, to be looked at"


@quick
@given(many, st.data())
def test_any_damage_is_harmless(kept: list[RawAnswer], data: st.DataObject) -> None:
    """What is not damaged is found as before, what is damaged is named or as it was, and nothing raises."""
    with a_folder() as folder:
        raw = raw_of(folder, *kept)
        raw.pack(FEED, date(2025, 8, 22))
        before, paths = raw.all(FEED).files, files_of(folder)
        bodies = {file.name: raw.read(file) for file in before}
        if not paths:
            return
        path = folder / data.draw(st.sampled_from(paths))
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.booleans())
        path.write_bytes(content[:at] if cut else content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        found = raw.all(FEED)
        assert {file.name: raw.read(file) for file in found.files}.items() <= bodies.items()
        assert found.files == before or found.broken or OTHER in str(path)
        assert len(found.files) + len(found.broken) >= len([file for file in before if "pack_" not in file.path])
        raw.pack(FEED, LATER)
        raw.remove(found.files)
        assert raw.all(FEED).files == ()


@pytest.mark.parametrize("damage", [*DAMAGE.values()], ids=DAMAGE)
def test_a_broken_pack(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    raw.pack(FEED, LATER)
    before = raw.all(FEED)
    (path,) = files_of(tmp_path)
    (tmp_path / path).write_bytes(damage((tmp_path / path).read_bytes()))
    found = raw.all(FEED)
    assert set(found.files) < set(before.files)
    assert found.broken
    raw.keep(answer(2))
    raw.pack(FEED, LATER)
    raw.remove(before.files)
    assert answer(2).asked in [file.asked for file in raw.all(FEED).files]


def test_one_broken_file_of_a_pack(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    raw.pack(FEED, LATER)
    (path,) = files_of(tmp_path)
    first, second = raw.all(FEED).files
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-5])
    assert raw.of(FEED, keys(1)) == [first]
    assert raw.read(first) == answer(0)
    (named,) = raw.broken(FEED)
    assert second.name in named
    raw.remove([first])
    assert raw.all(FEED).files == ()
    assert len(raw.broken(FEED)) == 1, "what is broken was not to be removed"
    raw.keep(answer(1))
    assert raw.of(FEED, keys(1)) == [second], "a sound copy stands for it"
    assert raw.broken(FEED) == ()


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer())
    (file,) = raw.all(FEED).files
    (tmp_path / "_aqi" / "raw" / file.path).unlink()
    with pytest.raises(WarehouseError, match=r"20250820T060000Z.*asked at 2025-08-20T06:00:00Z.*it is gone"):
        raw.read(file)


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    with pytest.raises(WarehouseError, match="cannot be read"):
        RawAnswers(str(tmp_path)).all(FEED)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer())
    folder = tmp_path / "_aqi" / "raw" / FEED
    (folder / "2025-08-20" / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "2025-13-45").mkdir()
    (folder / "20250820").mkdir()
    (folder / "20250821").mkdir()
    (folder / "2025-08-20" / "20251399T000000Z_2025-08-01_2025-08-01_0123456789abcdef.zst").write_bytes(b"")
    assert len(raw.all(FEED).files) == 1
    raw.pack(FEED, LATER)
    raw.remove(raw.all(FEED).files)
    assert (folder / "2025-08-20" / "notes.txt").exists()
    assert raw.broken(FEED) == ()


def test_what_a_killed_writer_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path)
    again = killed_at(1, monkeypatch)
    with pytest.raises(Killed):
        raw.keep(answer())
    again()
    assert raw.all(FEED) == Found(())
    assert len(files_of(tmp_path)) == 1
    raw.pack(FEED, LATER)
    assert files_of(tmp_path) == []


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

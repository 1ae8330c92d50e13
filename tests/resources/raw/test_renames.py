"""Kept answers and moments of locations that got another key: found under that one, and never under another's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import iso
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import Answer, RawAnswer
from resources.raw.answers import RawAnswers
from resources.raw.moments import Moments
from resources.raw.renames import FOLDER, Names, Renamed, Renames, under_names_of_today
from tests.support.records import key, keys

quick = settings(max_examples=100, deadline=None)

FEED, OTHER = "bronze.feed", "bronze.other"
FIRST = datetime.fromisoformat("2025-08-20T06:00:00Z")
A_DAY = date(2025, 8, 1)
THERE = Renamed("hue", "hue-2", "run-r1")


def at(hours: int) -> str:
    return iso(FIRST + timedelta(hours=hours))


def answer(hours: int, *at_keys: str, body: bytes = b"{}") -> RawAnswer:
    return RawAnswer(
        FEED, "gauges", at(hours), "run-1", False, A_DAY, A_DAY, at_keys or ("hue",), {"at": list(at_keys)}, body
    )


def locations(raw: RawAnswers) -> list[tuple[str, ...]]:
    return [file.locations for file in raw.all(FEED).files]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mark", "now"),
    [
        ("a", "", "c"),
        ("b", "", "b~r1"),
        ("c", "", "c~r2"),
        ("d", "", "d"),
        ("a", "r1", "a"),
        ("b", "r1", "c"),
        ("c", "r1", "c~r2"),
        ("a", "r2", "a"),
        ("c", "r2", "c"),
        ("a", "of a list that is lost", "c"),
    ],
)
def test_what_a_key_is_today(name: str, mark: str, now: str) -> None:
    """a is called b, and then c."""
    names = Names((Renamed("a", "b", "r1"), Renamed("b", "c", "r2")))
    assert names.now(name, mark) == now
    assert (names.last, names.before("r2"), names.before("r1")) == ("r2", "r1", "")


def test_there_and_back() -> None:
    names = Names((Renamed("a", "b", "r1"), Renamed("b", "a", "r2")))
    assert [names.now("a", mark) for mark in ("", "r1", "r2")] == ["a", "a~r2", "a"]
    assert [names.now("b", mark) for mark in ("", "r1", "r2")] == ["b~r1", "a", "b"]


@pytest.mark.parametrize(
    ("renamed", "key", "to"),
    [
        ("", "a", ()),
        ("ab", "a", ("b",)),
        ("ab", "b", ()),
        ("ab bc", "a", ("c",)),
        ("ab ba", "a", ()),
        ("ab ba", "b", ("a",)),
        ("ab bc ca", "a", ()),
        ("ab ac", "a", ("b", "c")),  # another location had the key for a while
        ("ab xa", "a", ()),  # another one has it
        ("ab xa ac", "a", ("c",)),
    ],
)
def test_where_a_key_was_renamed_to(renamed: str, key: str, to: tuple[str, ...]) -> None:
    names = Names(tuple(Renamed(*pair, f"r{at}") for at, pair in enumerate(renamed.split())))  # type: ignore[misc]
    assert names.renamed_to(key) == to


def test_partitions() -> None:
    names = Names((Renamed("hue", "vinh", "r1"),))
    both = keys(1, 2) | keys(3, location="vinh") | keys(4, location="hanoi") | PartitionSet.null()
    want = keys(1, 2, location="vinh") | keys(3, location="vinh~r1") | keys(4, location="hanoi") | PartitionSet.null()
    assert names.partitions(both, "") == want
    assert names.partitions(both, "r1") is both
    assert Names().partitions(both, "") is both


@quick
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")).filter(lambda two: two[0] != two[1])))
def test_no_two_locations_have_one_key(steps: list[tuple[str, str]]) -> None:
    """Whatever is renamed: those of one moment stay apart, and the one that is renamed goes along."""
    names = Names(tuple(Renamed(old, new, f"r{number}") for number, (old, new) in enumerate(steps)))
    for mark in ("", *names.marks):
        assert len({names.now(one, mark) for one in "abcd"}) == 4
    for one in names.renamed:
        assert names.now(one.old, names.before(one.run_id)) == names.now(one.new, one.run_id)


@pytest.mark.parametrize("column", ["location", None])
def test_what_was_read_of_a_body(column: str | None) -> None:
    def rows(*named: str) -> pa.Table:
        return pa.table({"level": pa.array([1.0] * len(named)), "location": pa.array(named, pa.string())})

    digests = {A_DAY: "d"}
    sent = [Answer("hue", rows("hue", "hue"), digests), Answer("vinh", rows("vinh"), digests), Answer("x", rows(), {})]
    named = under_names_of_today(sent, {"hue": "hue-2", "vinh": "vinh", "x": "y"}, column)
    assert [one.location for one in named] == ["hue-2", "vinh", "y"]
    assert named[0].rows.equals(rows(*["hue" if column is None else "hue-2"] * 2))
    assert (named[0].digests, named[1]) == (digests, sent[1])
    assert named[2].rows.equals(rows())


# --- kept answers ---------------------------------------------------------------------------------


def test_kept_answers_are_found_under_the_new_key(tmp_path: Path) -> None:
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0, "hue", "vinh", body=b"one"))
    raw.keep(answer(1, "vinh"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.zst")}
    raw.rename(FEED, THERE)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.zst")} == before, "they stay as they are"
    (file,) = raw.of(FEED, keys(1, location="hue-2"))
    assert file.locations == ("hue-2", "vinh")
    assert file.names == {"hue": "hue-2", "vinh": "vinh"}
    assert raw.of(FEED, keys(1)) == []
    assert raw.read(file) == answer(0, "hue", "vinh", body=b"one"), "word for word"
    assert len(raw.of(FEED, keys(1, location="vinh"))) == 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_key_that_another_location_gets_later(tmp_path: Path, packed: bool) -> None:
    """At the same moment, too: no clock is asked."""
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0, "hue"))
    raw.rename(FEED, THERE)
    raw.keep(answer(0, "hue", body=b"of another"))
    raw.keep(answer(0, "hue-2", body=b"of the same"))
    if packed:
        assert raw.pack(FEED, date(2026, 1, 1)) == 3
    (other,) = raw.of(FEED, keys(1))
    assert raw.read(other).body == b"of another"
    assert {raw.read(file).body for file in raw.of(FEED, keys(1, location="hue-2"))} == {b"{}", b"of the same"}


def test_a_location_that_had_the_new_key_before(tmp_path: Path) -> None:
    """It is gone, or it could not have been given to another: what was kept of it is nobody's."""
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0, "hue-2"))
    raw.keep(answer(1, "hue"))
    raw.rename(FEED, THERE)
    (file,) = raw.of(FEED, keys(1, location="hue-2"))
    assert file.asked == at(1)
    assert locations(raw) == [("hue-2~run-r1",), ("hue-2",)]


def test_of_one_asset_alone_and_only_once(tmp_path: Path) -> None:
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0))
    raw.rename(OTHER, THERE)
    assert not (tmp_path / FOLDER / OTHER).exists(), "nothing was kept of it"
    raw.rename(FEED, THERE)
    path = tmp_path / FOLDER / FEED / "renamed.json"
    said = path.read_text(encoding="utf-8")
    assert said == '{"format":1,"renamed":[{"new":"hue-2","old":"hue","run_id":"run-r1"}]}'
    raw.rename(FEED, THERE)
    assert path.read_text(encoding="utf-8") == said
    raw.rename(FEED, Renamed("hue-2", "hue", "run-r2"))
    assert raw.names(FEED).marks == ("run-r1", "run-r2")
    assert locations(raw) == [("hue",)]


def test_removed_and_packed_across_a_renaming(tmp_path: Path) -> None:
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0, body=b"one"))
    raw.keep(answer(1, body=b"two"))
    assert raw.pack(FEED, date(2026, 1, 1)) == 2
    raw.rename(FEED, THERE)
    raw.keep(answer(2, "hue-2"))
    assert raw.pack(FEED, date(2026, 1, 1)) == 1
    first, *rest = raw.all(FEED).files
    assert raw.remove([first]) == 1
    assert (
        [file.asked for file in raw.of(FEED, keys(1, location="hue-2"))]
        == [file.asked for file in rest]
        == [at(1), at(2)]
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format":2,"renamed":[]}', '{"format":1,"renamed":[{}]}', "3"])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    """Whose answers they are is not known: none is found, and none is kept."""
    raw, moments = RawAnswers(str(tmp_path)), Moments(str(tmp_path))
    raw.keep(answer(0))
    raw.rename(FEED, THERE)
    path = tmp_path / FOLDER / FEED / "renamed.json"
    path.write_text(content, encoding="utf-8")
    for call in (lambda: raw.all(FEED), lambda: raw.names(FEED), lambda: raw.rename(FEED, THERE)):
        with pytest.raises(WarehouseError, match=r"renamed\.json cannot be read") as refused:
            call()
        assert refused.value.remedy.startswith("Restore it from a copy.")
    with pytest.raises(OSError, match=r"renamed\.json cannot be read"):
        raw.keep(answer(1))
    moments.keep(FEED, "run-1", {key(1): at(0)})
    assert moments.read(FEED) == {key(1): at(0)}, "the loss of a moment is a question more"
    path.unlink()
    assert locations(raw) == [("hue",)]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("operation", ["pipe_file", "mv"])
def test_it_is_there_whole_or_not_at_all(tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = RawAnswers(str(tmp_path))
    raw.keep(answer(0))

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, operation, die)
        with pytest.raises(Killed):
            raw.rename(FEED, THERE)
    assert locations(raw) == [("hue",)]
    raw.rename(FEED, THERE)
    assert locations(raw) == [("hue-2",)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.sampled_from("abc")),
        st.tuples(st.just("rename"), st.permutations("abc").map(lambda three: (three[0], three[1]))),
        st.just(("pack", "")),
    ),
    max_size=10,
)


@quick
@given(steps)
def test_any_history(history: list[tuple[str, Any]]) -> None:
    """Each location has its own answers and moments, by a model that writes them again at every renaming."""
    owner: dict[str, list[int]] = {}
    with TemporaryDirectory() as folder:
        raw, moments = RawAnswers(folder), Moments(folder)
        for number, (what, of) in enumerate(history):
            if what == "keep":
                raw.keep(answer(number, of))
                moments.keep(FEED, f"run-{number % 3}", {key(1, of): at(number)})
                owner.setdefault(of, []).append(number)
            elif what == "rename":
                old, new = of
                raw.rename(FEED, Renamed(old, new, f"r{number}"))
                owner.pop(new, None)
                if old in owner:
                    owner[new] = owner.pop(old)
            else:
                raw.pack(FEED, date(2026, 1, 1))
                moments.pack(FEED, date(2026, 1, 1), at(0))
        latest = moments.read(FEED)
        for one in "abc":
            of = owner.get(one, [])
            assert [file.asked for file in raw.of(FEED, keys(1, location=one))] == [at(number) for number in of]
            assert latest.get(key(1, one)) == (at(of[-1]) if of else None)


# --- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_moments_follow(tmp_path: Path, packed: bool) -> None:
    raw, moments = RawAnswers(str(tmp_path)), Moments(str(tmp_path))
    raw.keep(answer(0))
    moments.keep(FEED, "run-1", {key(1): at(0), key(2): at(0)})
    raw.rename(FEED, THERE)
    if packed:
        assert moments.pack(FEED, date(2026, 1, 1), at(0)) == 1
    assert moments.read(FEED) == {key(1, "hue-2"): at(0), key(2, "hue-2"): at(0)}
    moments.keep(FEED, "run-1", {key(1): at(2), key(2, "hue-2"): at(3)})
    assert moments.read(FEED) == {key(1, "hue-2"): at(0), key(2, "hue-2"): at(3), key(1): at(2)}
    raw.rename(FEED, Renamed("hue-2", "vinh", "run-r2"))
    assert moments.read(FEED) == {key(1, "vinh"): at(0), key(2, "vinh"): at(3), key(1): at(2)}
    assert moments.broken(FEED) == ()


def test_renames_of_a_warehouse_that_has_none(tmp_path: Path) -> None:
    assert Renames(str(tmp_path)).of(FEED) == Names()
    raw: Callable[[str], Names] = RawAnswers(str(tmp_path / "nowhere")).names
    assert raw(FEED).last == ""

"""Versions that make the same rows: chains of lines, accepts and explanations; and of nothing else."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.state.equivalence import Equivalences, Growth, Lines, parts
from orchestration.core.state.versions import Equal

LINES = {
    "gold.x": Lines((frozenset({"1", "2:a"}), frozenset({"2:a", "2:b"}))),
    "gold.y": Lines((frozenset({"2:p", "2:q"}),)),
}
KNOWN = {("gold.x", "hue", "0" * 16): "1:s"}


def same(one: str, other: str, *accepted: Equal, asset: str = "gold.x", location: str | None = "hue") -> bool:
    found = Equivalences(LINES, lambda *at: KNOWN.get(at))
    assert found.same(asset, location, other, one, accepted) == found.same(asset, location, one, other, accepted)
    return found.same(asset, location, one, other, accepted)


@pytest.mark.parametrize(
    ("version", "found"),
    [("2:ab12:cd34", ("2:ab12", "cd34")), ("1:cd34", ("1", "cd34")), ("ab12cd34", None), ("", None)],
)
def test_parts(version: str, found: tuple[str, str] | None) -> None:
    assert parts(version) == found


def test_a_line_holds_for_any_settings_and_no_others() -> None:
    assert same("2:a:s", "2:b:s") and same("2:a:t", "2:b:t")
    assert not same("2:a:s", "2:b:t"), "the settings differ"
    assert not same("2:a:s", "2:c:s")
    assert not same("2:a:s", "2:b:s", asset="gold.y"), "a line is of its asset"


def test_a_version_of_scheme_1_is_explained_first() -> None:
    """Then lines lead from code part 1 to today's; where nobody knows what it was made of, it equals nothing."""
    assert same("2:b:s", "0" * 16)
    assert not same("2:b:t", "0" * 16), "it was made of other settings"
    assert not same("2:b:s", "0" * 16, location="hanoi") and not same("2:b:s", "1" * 16)


def test_what_was_accepted_is_of_whole_versions_and_of_its_location() -> None:
    accepted = Equal("gold.x", "hue", "2:old:s", "2:a:s")
    assert same("2:old:s", "2:b:s", accepted), "and goes on by lines"
    assert not same("2:old:t", "2:b:t", accepted)
    assert not same("2:old:s", "2:a:s", accepted, location="hanoi")
    assert same("2:old:s", "2:a:s", Equal("gold.x", None, "2:old:s", "2:a:s"), location="hanoi")
    assert not same("2:old:s", "2:a:s", Equal("gold.y", None, "2:old:s", "2:a:s"))


names = st.sampled_from([f"2:{code}:{settings}" for code in "abcd" for settings in "st"])
pairs = st.lists(st.tuples(names, names), max_size=6)


@given(pairs, names, names, names)
def test_it_is_an_equivalence(accepted: list[tuple[str, str]], one: str, other: str, third: str) -> None:
    """Reflexive, symmetric, transitive; and just what chains of the given pairs join."""
    equal = [Equal("gold.z", None, *pair) for pair in accepted]
    found = Equivalences({})

    def joined(a: str, b: str) -> bool:
        return found.same("gold.z", None, a, b, equal)

    assert joined(one, one)
    for a, b, c in permutations((one, other, third)):
        assert joined(a, b) == joined(b, a)
        assert not (joined(a, b) and joined(b, c)) or joined(a, c)
    groups = {name: {name} for pair in accepted for name in pair}
    for a, b in accepted:
        union = groups[a] | groups[b]
        groups |= dict.fromkeys(union, union)
    assert joined(one, other) == (one == other or other in groups.get(one, set()))


# Code that grew: "2:new" reads the zone of a location for a column that "1" and "2:a" did not make; "2:newer" is a line
# beside it. Settings are s where nothing else is read, and s+Z with the zone Z.

GROWN = {
    "gold.x": Lines(
        (frozenset({"1", "2:a"}), frozenset({"2:new", "2:newer"})),
        (Growth(frozenset({"1", "2:a"}), "2:new", ("zone",)),),
    )
}


def grew(one: str, today: str, *accepted: Equal, settings: str = "s") -> bool:
    found = Equivalences(
        GROWN,
        lambda *at: KNOWN.get(at),
        lambda asset, location, without: settings if (asset, location, *without) == ("gold.x", "hue", "zone") else "?",
    )
    return found.same("gold.x", "hue", one, today, accepted)


def test_what_earlier_code_made_is_as_good_under_any_zone() -> None:
    assert grew("2:a:s", "2:new:s+A") and grew("2:a:s", "2:new:s+B"), "it has no column of the zone"
    assert grew("1:s", "2:newer:s+A") and grew("0" * 16, "2:new:s+A"), "by any chain"
    assert not grew("2:a:t", "2:new:s+A"), "what both read is another"
    assert not grew("2:b:s", "2:new:s+A"), "nothing is said of it"


def test_what_grown_code_made_hangs_on_its_zone() -> None:
    assert not grew("2:new:s+A", "2:new:s+B"), "not by way of the code before either"
    assert grew("2:new:s+A", "2:newer:s+A")
    assert not grew("2:new:s+A", "2:a:s"), "older code of today does not make the column"


def test_an_accept_leads_over_a_growth_in_its_own_direction_alone() -> None:
    """Accepted on a sample of rows without the column: it says nothing of rows that have it."""
    assert grew("2:old:s", "2:new:s+A", Equal("gold.x", "hue", "2:old:s", "2:a:s"))
    accepted = Equal("gold.x", "hue", "2:a:s", "2:new:s+A")
    assert not grew("2:new:s+A", "2:new:s+B", accepted)
    same_clock = Equal("gold.x", "hue", "2:new:s+A", "2:new:s+B")
    assert grew("2:new:s+A", "2:new:s+B", same_clock)


def test_what_is_read_by_both_has_to_be_the_same() -> None:
    assert not grew("2:a:s", "2:new:t+A", settings="t")
    assert grew("2:a:t", "2:new:t+A", settings="t")

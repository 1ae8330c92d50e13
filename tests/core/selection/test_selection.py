"""The selection language: what every form means, and how it prints."""

from __future__ import annotations

import pickle

import pytest

from orchestration.core.errors import SelectionError
from orchestration.core.selection.expressions import And, Glob, Label, Name, Not, Or, Walk
from orchestration.core.selection.parser import MAX_NESTING, parse
from tests.support.selectable_assets import ALL, BRONZE, CLEAN, DAILY, DATE, EPISODE, HOURLY, LAKE, QUARANTINE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", ALL),
        ("gold.fact_city_daily", (DAILY,)),
        ("gold.fact_*", (HOURLY, DAILY, EPISODE)),
        ("*hourly", (BRONZE, HOURLY)),
        ("*.?lean", (CLEAN,)),
        ("layer:silver", (CLEAN, QUARANTINE)),
        ("tag:daily", (DAILY,)),
        ("tag:fact", (HOURLY, DAILY, EPISODE)),
        ("+gold.fact_hourly", (BRONZE, DATE, CLEAN, HOURLY)),
        ("gold.fact_hourly+", (HOURLY, DAILY, EPISODE)),
        ("+silver.clean+", (BRONZE, CLEAN, HOURLY, DAILY, EPISODE)),
        ("1+gold.fact_hourly", (DATE, CLEAN, HOURLY)),
        ("2+gold.fact_city_daily", (DATE, CLEAN, HOURLY, DAILY)),
        ("bronze.hourly+1", (BRONZE, CLEAN, QUARANTINE)),
        ("bronze.hourly+2", (BRONZE, CLEAN, QUARANTINE, HOURLY)),
        ("2+gold.fact_hourly+1", (BRONZE, DATE, CLEAN, HOURLY, DAILY, EPISODE)),
        ("1+silver.clean+", (BRONZE, CLEAN, HOURLY, DAILY, EPISODE)),
        ("+silver.clean+1", (BRONZE, CLEAN, HOURLY)),
        ("0+gold.fact_hourly", (HOURLY,)),
        ("gold.fact_hourly+0", (HOURLY,)),
        ("0+gold.fact_hourly+", (HOURLY, DAILY, EPISODE)),
        ("1+tag:daily", (HOURLY, DAILY)),
        ("+layer:silver", (BRONZE, CLEAN, QUARANTINE)),
        ("1+silver.*", (BRONZE, CLEAN, QUARANTINE)),
        ("1+(silver.clean or gold.fact_episode)", (BRONZE, CLEAN, HOURLY, EPISODE)),
        ("(silver.quarantine or gold.fact_episode)+", (QUARANTINE, EPISODE)),
        ("+(silver.clean+)", (BRONZE, DATE, CLEAN, HOURLY, DAILY, EPISODE)),
        ("1+(silver.clean+1)", (BRONZE, DATE, CLEAN, HOURLY)),
        ("not layer:gold", (BRONZE, CLEAN, QUARANTINE)),
        ("not not layer:silver", (CLEAN, QUARANTINE)),
        ("not +gold.fact_hourly", (QUARANTINE, DAILY, EPISODE)),
        ("layer:gold and tag:fact", (HOURLY, DAILY, EPISODE)),
        ("layer:gold and not tag:fact", (DATE,)),
        ("not tag:fact and layer:gold", (DATE,)),
        ("not (tag:fact and layer:gold)", (BRONZE, DATE, CLEAN, QUARANTINE)),
        ("tag:source or layer:silver", (BRONZE, CLEAN, QUARANTINE)),
        ("tag:source or layer:gold and tag:daily", (BRONZE, DAILY)),
        ("(tag:source or layer:gold) and tag:daily", (DAILY,)),
        ("tag:daily and layer:gold or tag:source", (BRONZE, DAILY)),
        ("tag:source or not layer:gold and not layer:bronze", (BRONZE, CLEAN, QUARANTINE)),
        ("layer:gold and layer:silver", ()),
        ("not *", ()),
        ("  tag:source\tor\nlayer:silver ", (BRONZE, CLEAN, QUARANTINE)),
        ("((tag:source))or(tag:daily)", (BRONZE, DAILY)),
        ("gold.fact_episode or gold.fact_episode or bronze.hourly", (BRONZE, EPISODE)),
    ],
)
def test_a_selection_resolves_in_topological_order(text: str, expected: tuple[str, ...]) -> None:
    selection = parse(text)
    assert selection.resolve(LAKE) == expected
    assert selection.text == text
    assert parse(str(selection)) == selection


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  a.b ", "a.b"),
        ("(((a.b)))", "a.b"),
        ("+( a.b )+", "+a.b+"),
        ("002+a.b+1", "2+a.b+1"),
        ("0+a.b+0", "a.b"),
        ("0+(a or b)", "a or b"),
        ("+(a+)", "+(a+)"),
        ("(+a)+", "(+a)+"),
        ("1+(not a)", "1+(not a)"),
        ("not (not a)", "not not a"),
        ("not (+a)", "not +a"),
        ("(not a) and b", "not a and b"),
        ("not (a and b)", "not (a and b)"),
        ("(a and b) or c", "a and b or c"),
        ("a and (b or c)", "a and (b or c)"),
        ("a or (b or (c or d))", "a or b or c or d"),
        ("(a and b) and c", "a and b and c"),
        ("*   or layer:x", "* or layer:x"),
    ],
)
def test_a_selection_prints_in_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)
    assert hash(parse(canonical)) == hash(parse(text))


def test_a_selection_is_a_value() -> None:
    expected = Or((Name("a"), And((Walk(Glob("b*"), None, 2), Not(Label("tag", "c"))))))
    assert parse("a or +b*+2 and not tag:c").expression == expected
    assert parse("a or b") != parse("b or a")
    assert parse("+a") != parse("a+")
    assert pickle.loads(pickle.dumps(parse("+a or b"))) == parse("+a or b")  # noqa: S301


@pytest.mark.parametrize("opening", ["(", "not ", "+("])
def test_nesting_is_bounded_and_says_where(opening: str) -> None:
    closing = ")" if "(" in opening else ""
    fits = opening * MAX_NESTING + "*" + closing * MAX_NESTING
    assert set(parse(fits).resolve(LAKE)) <= set(ALL)
    assert parse(str(parse(fits))) == parse(fits)
    too_deep = opening * 10_000 + "*" + closing * 10_000
    with pytest.raises(SelectionError) as caught:
        parse(too_deep)
    problem, _, carets = caught.value.message.split("\n")
    assert problem == f"nested more than {MAX_NESTING} deep"
    assert carets.index("^") == 4 + MAX_NESTING * len(opening) + opening.index(opening.strip("+")[0])


def test_a_long_selection_is_not_a_deep_one() -> None:
    assert parse(" or ".join(["tag:daily"] * 5_000)).resolve(LAKE) == (DAILY,)
    assert parse(" or ".join(["(tag:daily)"] * (MAX_NESTING + 1))).resolve(LAKE) == (DAILY,)
    assert parse(" and ".join(["not tag:source"] * (MAX_NESTING + 1))).resolve(LAKE) == ALL[1:]

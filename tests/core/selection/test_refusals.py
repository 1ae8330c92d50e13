"""Selections that cannot be read or mean nothing: refused at their location, with a remedy."""

from __future__ import annotations

import pytest

from orchestration.core.declarations.dag import Dag
from orchestration.core.errors import SelectionError
from orchestration.core.selection.parser import parse
from tests.support.selectable_assets import LAKE, Assets

JOIN = "use or for what is in either, and for what is in both"
PLUS = "write +x for x with its upstream, x+ with its downstream, 2+x or x+1 for fewer levels"
WRITE = "write a selection there"
CLOSE = "add the ')' that belongs to it"
CHARACTERS = "names have letters, digits and . _ - * ? :"


@pytest.mark.parametrize(
    ("text", "carets", "problem", "remedy"),
    [
        # between two selections
        ("a, b", " ^", "unexpected ','", "use or"),
        ("a b", "  ^", "'and' or 'or' is missing before 'b'", JOIN),
        ("aa bbb ccc", "   ^^^", "'and' or 'or' is missing before 'bbb'", JOIN),
        ("a not b", "  ^^^", "'and' or 'or' is missing before 'not'", JOIN),
        ("a (b)", "  ^", "'and' or 'or' is missing before '('", JOIN),
        ("(a b)", "   ^", "'and' or 'or' is missing before 'b'", JOIN),
        ("a | b", "  ^", "unexpected '|'", "use or"),
        ("a & b", "  ^", "unexpected '&'", "use and"),
        ("!a", "^", "unexpected '!'", "use not"),
        ("a or b@c", "      ^", "unexpected '@'", CHARACTERS),
        ("gold.fact_é", "          ^", "unexpected 'é'", CHARACTERS),
        ("a AND b", "  ^^^", "unexpected 'AND'", "write and, in small letters"),
        ("Not a", "^^^", "unexpected 'Not'", "write not, in small letters"),
        # operators without operand
        ("a and", "  ^^^", "nothing follows 'and'", WRITE),
        ("a or  ", "  ^^", "nothing follows 'or'", WRITE),
        ("not", "^^^", "nothing follows 'not'", WRITE),
        ("(a or) and b", "   ^^", "nothing follows 'or'", WRITE),
        ("or a", "^^", "nothing stands before 'or'", WRITE),
        ("a and or b", "      ^^", "nothing stands before 'or'", WRITE),
        ("a or (and b)", "      ^^^", "nothing stands before 'and'", WRITE),
        ("not and", "    ^^^", "nothing stands before 'and'", WRITE),
        # parentheses
        ("(a or b", "^", "'(' is never closed", CLOSE),
        ("a or ((b)", "     ^", "'(' is never closed", CLOSE),
        ("a or (", "     ^", "'(' is never closed", CLOSE),
        ("a)", " ^", "no '(' belongs to this ')'", "add it, or take the ')' away"),
        (") or a", "^", "no '(' belongs to this ')'", "add it, or take the ')' away"),
        ("(a) or b) or c", "        ^", "no '(' belongs to this ')'", "add it, or take the ')' away"),
        ("a or ()", "      ^", "nothing stands between the parentheses", WRITE),
        # +
        ("+", "^", "nothing follows '+'", WRITE),
        ("a or 2+", "      ^", "nothing follows '+'", WRITE),
        ("(+)", " ^", "nothing follows '+'", WRITE),
        ("+and a", "^", "nothing follows '+'", WRITE),
        ("+ a", "^", "'+' must touch what it applies to", PLUS),
        ("2+ a", " ^", "'+' must touch what it applies to", PLUS),
        ("a +", "  ^", "'+' must touch what it applies to", PLUS),
        ("a +b", "  ^", "'+' must touch what it applies to", PLUS),
        ("++a", " ^", "unexpected '+'", PLUS),
        ("a++", "  ^", "only a number of levels may follow '+' here, not '+'", PLUS),
        ("a+b", "  ^", "only a number of levels may follow '+' here, not 'b'", PLUS),
        ("a+1b", "  ^^", "only a number of levels may follow '+' here, not '1b'", PLUS),
        ("a+(b)", "  ^", "only a number of levels may follow '+' here, not '('", PLUS),
        ("a+-1", "  ^^", "only a number of levels may follow '+' here, not '-1'", PLUS),
        ("a+1+", "   ^", "'+' must touch what it applies to", PLUS),
        ("a+ 1", "   ^", "'and' or 'or' is missing before '1'", JOIN),
        ("+not a", " ^^^", "'+' cannot apply to 'not'", "put it in parentheses: +(not x)"),
        ("a or 2", "     ^", "'2' is a number, not an asset", PLUS),
        ("2 +a", "^", "'2' is a number, not an asset", PLUS),
        ("1234567890+a", "^^^^^^^^^^", "'1234567890' is a number, not an asset", PLUS),
        # prefixes
        ("a or lyer:gold", "     ^^^^^", "unknown prefix 'lyer:'", "the prefixes are layer: and tag:"),
        (":gold", "^", "unknown prefix ':'", "the prefixes are layer: and tag:"),
        ("tag:", "^^^^", "'tag:' lacks a name", "write the tag right after the colon"),
        ("layer: gold", "^^^^^^", "'layer:' lacks a name", "write the layer right after the colon"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_at_its_place(text: str, carets: str, problem: str, remedy: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse(text)
    assert caught.value.message == f"{problem}\n    {text}\n    {carets}"
    assert caught.value.remedy == remedy


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_selection_is_refused(text: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse(text)
    assert str(caught.value) == "the selection is empty\n  write * for all assets, or the key of one"


def test_the_location_is_right_where_the_text_has_tabs_and_lines() -> None:
    with pytest.raises(SelectionError) as caught:
        parse("a\tor\nb c")
    assert caught.value.message == "'and' or 'or' is missing before 'c'\n    a or b c\n           ^"


@pytest.mark.parametrize(
    ("text", "carets", "problem", "remedy"),
    [
        ("gold.fact_city_dayly", "^" * 20, "unknown asset 'gold.fact_city_dayly'",
         "did you mean gold.fact_city_daily, gold.fact_hourly or gold.fact_episode?"),
        ("fact_city_daily", "^" * 15, "unknown asset 'fact_city_daily'",
         "did you mean gold.fact_city_daily?"),
        ("* or +(fact_episode+2)", "       ^^^^^^^^^^^^", "unknown asset 'fact_episode'",
         "did you mean gold.fact_episode?"),
        ("Gold.Dim_Date", "^" * 13, "unknown asset 'Gold.Dim_Date'", "did you mean gold.dim_date?"),
        ("hourly", "^" * 6, "unknown asset 'hourly'",
         "did you mean bronze.hourly or gold.fact_hourly?"),
        ("gold", "^^^^", "unknown asset 'gold'", "did you mean layer:gold?"),
        ("source", "^^^^^^", "unknown asset 'source'", "did you mean tag:source?"),
        ("xyz.q", "^^^^^", "unknown asset 'xyz.q'",
         "there is: bronze.hourly, gold.dim_date, gold.fact_city_daily, gold.fact_episode, gold.fact_hourly, "
         "silver.clean, silver.quarantine"),
        ("* and layer:glod", "      ^^^^^^^^^^", "unknown layer 'glod'", "did you mean layer:gold?"),
        ("layer:x", "^^^^^^^", "unknown layer 'x'", "there is: layer:bronze, layer:gold, layer:silver"),
        ("not tag:dayly", "    ^^^^^^^^^", "unknown tag 'dayly'", "did you mean tag:daily?"),
        ("tag:x", "^^^^^", "unknown tag 'x'", "there is: tag:daily, tag:fact, tag:source"),
        ("silver.clean or gold.fct_ho*", "                ^^^^^^^^^^^^", "no asset matches 'gold.fct_ho*'",
         "did you mean gold.fact_hourly or gold.fact_episode?"),
        ("fact_*", "^^^^^^", "no asset matches 'fact_*'", "did you mean *.fact_*?"),
        ("GOLD.*", "^^^^^^", "no asset matches 'GOLD.*'", "did you mean gold.*?"),
        ("Fact_*", "^^^^^^", "no asset matches 'Fact_*'", "did you mean *.fact_*?"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_answered_with_the_nearest(text: str, carets: str, problem: str, remedy: str) -> None:
    selection = parse(text)
    with pytest.raises(SelectionError) as caught:
        selection.resolve(LAKE)
    assert caught.value.message == f"{problem}\n    {text}\n    {carets}"
    assert caught.value.remedy == remedy


def test_an_error_prints_whole() -> None:
    with pytest.raises(SelectionError) as caught:
        parse("+fact_city_daily or tag:fact").resolve(LAKE)
    assert str(caught.value) == (
        "unknown asset 'fact_city_daily'\n"
        "    +fact_city_daily or tag:fact\n"
        "     ^^^^^^^^^^^^^^^\n"
        "  did you mean gold.fact_city_daily?"
    )


@pytest.mark.parametrize("text", ["* or nope.x", "not * and nope.x", "* and (not * and nope.x)"])
def test_an_unknown_name_is_found_where_it_could_not_matter(text: str) -> None:
    with pytest.raises(SelectionError, match=r"unknown asset 'nope\.x'"):
        parse(text).resolve(LAKE)


def test_long_lists_of_what_there_is_are_cut() -> None:
    many = Assets(Dag({f"gold.t{number:02}": () for number in range(30)}), {})
    with pytest.raises(SelectionError) as caught:
        parse("x.q").resolve(many)
    assert caught.value.remedy == f"there is: {', '.join(f'gold.t{number:02}' for number in range(10))}, …"


def test_nothing_declared() -> None:
    with pytest.raises(SelectionError) as caught:
        parse("tag:x").resolve(Assets(Dag({}), {}))
    assert caught.value.remedy == "none is declared"

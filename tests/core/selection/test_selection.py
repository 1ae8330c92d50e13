"""The selection language: every form, every error at its place, and agreement with a naive evaluator."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.dag import Dag
from orchestration.core.errors import SelectionError
from orchestration.core.selection.expressions import And, Glob, Label, Name, Not, Or, Walk
from orchestration.core.selection.parser import MAX_NESTING, parse

quick = settings(max_examples=100, deadline=None)


@dataclass(frozen=True)
class Assets:
    """A universe: keys are ``layer.table``; tags by key."""

    dag: Dag
    tags: dict[str, tuple[str, ...]]

    @property
    def keys(self) -> tuple[str, ...]:
        return self.dag.nodes

    def layer_of(self, key: str) -> str:
        return key.partition(".")[0]

    def tags_of(self, key: str) -> tuple[str, ...]:
        return self.tags.get(key, ())


LAKE = Assets(
    Dag(
        {
            "bronze.hourly": (),
            "silver.clean": ("bronze.hourly",),
            "silver.quarantine": ("bronze.hourly",),
            "gold.dim_date": (),
            "gold.fact_hourly": ("silver.clean", "gold.dim_date"),
            "gold.fact_city_daily": ("gold.fact_hourly",),
            "gold.fact_episode": ("gold.fact_hourly",),
        }
    ),
    {
        "gold.fact_city_daily": ("daily", "fact"),
        "gold.fact_episode": ("fact",),
        "gold.fact_hourly": ("fact",),
        "bronze.hourly": ("source",),
    },
)

BRONZE, DATE = "bronze.hourly", "gold.dim_date"
CLEAN, QUARANTINE = "silver.clean", "silver.quarantine"
HOURLY, DAILY, EPISODE = "gold.fact_hourly", "gold.fact_city_daily", "gold.fact_episode"
ALL = (BRONZE, DATE, CLEAN, QUARANTINE, HOURLY, DAILY, EPISODE)


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


def test_the_place_is_right_where_the_text_has_tabs_and_lines() -> None:
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


# --- against a naive evaluator

Choose = Callable[[Assets], set[str]]
Part = tuple[str, Choose]
NODES = ("x.a", "x.b", "y.a", "y.b", "y.c", "z.a")


@st.composite
def universes(draw: st.DrawFn) -> Assets:
    """All of NODES in one random graph; every tag has at least one asset."""
    order = draw(st.permutations(NODES))
    parents = {n: tuple(sorted(draw(st.sets(st.sampled_from(order[:i]))))) if i else () for i, n in enumerate(order)}
    tags = {node: tuple(sorted(draw(st.sets(st.sampled_from(("t", "u")))))) for node in NODES}
    return Assets(Dag({node: parents[node] for node in NODES}), {**tags, "x.a": ("t", "u")})


def step(assets: Assets, start: set[str], levels: int | None, *, up: bool) -> set[str]:
    """``start`` and all within ``levels``, one edge at a time."""
    found = set(start)
    for _ in range(len(NODES) if levels is None else levels):
        found |= {n for n in NODES for m in found if (n in assets.dag.parents[m] if up else m in assets.dag.parents[n])}
    return found


def named(name: str) -> Part:
    return name, lambda assets: {name}


def globbed(pattern: str) -> Part:
    return pattern, lambda assets: {key for key in NODES if fnmatchcase(key, pattern)}


def in_layer(layer: str) -> Part:
    return f"layer:{layer}", lambda assets: {key for key in NODES if key.startswith(f"{layer}.")}


def tagged(tag: str) -> Part:
    return f"tag:{tag}", lambda assets: {key for key in NODES if tag in assets.tags[key]}


ATOMS = st.one_of(
    st.sampled_from(NODES).map(named),
    st.sampled_from(("*", "y.*", "*.a", "?.b", "z.?")).map(globbed),
    st.sampled_from("xyz").map(in_layer),
    st.sampled_from("tu").map(tagged),
)


@st.composite
def parts(draw: st.DrawFn, binding: int = 0, budget: int = 3) -> Part:
    """Text of the language beside what it must choose. binding: or 0, and 1, not 2, walk 3, atom 4."""
    if binding == 4:
        if not budget or draw(st.booleans()):
            return draw(ATOMS)
        inner, choose = draw(parts(0, budget - 1))
        space = draw(st.sampled_from(("", " ", "\t ")))
        return f"({space}{inner}{space})", choose
    if binding == 3:
        return walk(draw(parts(4, budget)), draw(LEVELS), draw(LEVELS))
    if binding == 2:
        if budget and draw(st.booleans()):
            return negation(draw(parts(2, budget - 1)))
        return draw(parts(3, budget))
    several = [
        draw(parts(binding + 1, budget - 1 if budget else 0)) for _ in range(draw(st.integers(1, 3 if budget else 1)))
    ]
    return junction("and" if binding else "or", several)


LEVELS = st.one_of(st.just(0), st.none(), st.integers(1, 3))  # 0: none is written; None: all the way


def walk(part: Part, up: int | None, down: int | None) -> Part:
    text, choose = part
    before = {None: "+", 0: ""}.get(up, f"{up}+")
    after = {None: "+", 0: ""}.get(down, f"+{down}")
    return (
        f"{before}{text}{after}",
        lambda assets: step(assets, choose(assets), up, up=True) | step(assets, choose(assets), down, up=False),
    )


def negation(part: Part) -> Part:
    text, choose = part
    return f"not {text}", lambda assets: set(NODES) - choose(assets)


def junction(word: str, several: list[Part]) -> Part:
    def choose(assets: Assets) -> set[str]:
        sets = [choose(assets) for _, choose in several]
        return set.intersection(*sets) if word == "and" else set.union(*sets)

    return f" {word} ".join(text for text, _ in several), choose


@quick
@given(parts(), universes())
def test_any_selection_chooses_what_a_naive_evaluator_chooses(part: Part, assets: Assets) -> None:
    text, choose = part
    chosen = parse(text).resolve(assets)
    assert set(chosen) == choose(assets)
    assert chosen == assets.dag.sort(chosen)


@quick
@given(parts(), universes())
def test_any_selection_prints_as_one_that_is_equal(part: Part, assets: Assets) -> None:
    selection = parse(part[0])
    again = parse(str(selection))
    assert again == selection
    assert str(again) == str(selection)
    assert again.resolve(assets) == selection.resolve(assets)


@quick
@given(st.lists(st.sampled_from(["a.b", "*", "2", "+", "(", ")", " ", "and", "or", "not", "tag:t", ",", "é"])))
def test_any_text_is_read_or_refused_with_a_remedy(pieces: list[str]) -> None:
    try:
        selection = parse("".join(pieces))
    except SelectionError as refused:
        assert refused.remedy
    else:
        assert parse(str(selection)) == selection

"""Any selection: it chooses what a naive evaluator chooses."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.dag import Dag
from orchestration.core.errors import SelectionError
from orchestration.core.selection.parser import parse
from tests.support.selectable_assets import Assets

quick = settings(max_examples=100, deadline=None)
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

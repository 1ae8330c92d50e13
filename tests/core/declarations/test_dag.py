"""The graph: order, reach, and what it refuses."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.dag import CycleError, Dag, UnknownUpstreamError
from orchestration.core.errors import DeclarationError

DIAMOND = Dag({"d": ("b", "c"), "c": ("a",), "b": ("a",), "a": (), "z": ()})

quick = settings(max_examples=60, deadline=None)


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Up to ten nodes, declared in any order, each needing some that come before it in another order."""
    names = draw(st.permutations("abcdefghij"[: draw(st.integers(0, 10))]))
    needs = {name: tuple(draw(st.sets(st.sampled_from(names[:i])))) if i else () for i, name in enumerate(names)}
    return {name: needs[name] for name in draw(st.permutations(names))}


def naive_reach(edges: dict[str, set[str]], node: str, depth: int) -> set[str]:
    if not depth:
        return set()
    return edges[node] | {far for near in edges[node] for far in naive_reach(edges, near, depth - 1)}


def test_order_is_by_depth_then_by_declaration() -> None:
    assert DIAMOND.nodes == ("a", "z", "c", "b", "d")
    assert tuple(DIAMOND) == DIAMOND.nodes
    assert len(DIAMOND) == 5
    assert "d" in DIAMOND
    assert "e" not in DIAMOND


def test_depth_is_that_of_the_longest_way() -> None:
    assert Dag({"short": ("a", "c"), "c": ("b",), "other": ("a",), "b": ("a",), "a": ()}).nodes == (
        "a", "other", "b", "c", "short",
    )  # fmt: skip


def test_parents_and_children_are_in_the_order_of_declaration() -> None:
    assert DIAMOND.parents["d"] == ("b", "c")
    assert DIAMOND.children["a"] == ("c", "b")
    assert DIAMOND.children["z"] == ()


@pytest.mark.parametrize(
    ("node", "depth", "upstream", "downstream"),
    [
        ("d", None, ("a", "c", "b"), ()),
        ("d", 1, ("c", "b"), ()),
        ("d", 0, (), ()),
        ("b", None, ("a",), ("d",)),
        ("a", None, (), ("c", "b", "d")),
        ("a", 1, (), ("c", "b")),
        ("a", 2, (), ("c", "b", "d")),
        ("a", 99, (), ("c", "b", "d")),
        ("z", None, (), ()),
    ],
)
def test_upstream_and_downstream(
    node: str, depth: int | None, upstream: tuple[str, ...], downstream: tuple[str, ...]
) -> None:
    assert DIAMOND.upstream(node, depth) == upstream
    assert DIAMOND.downstream(node, depth) == downstream


def test_of_any_holds_a_given_node_only_where_another_leads_to_it() -> None:
    assert DIAMOND.upstream_of_any(["d", "b"]) == {"a", "b", "c"}
    assert DIAMOND.upstream_of_any(["c", "b"]) == {"a"}
    assert DIAMOND.downstream_of_any(["a", "z"], 1) == {"b", "c"}
    assert DIAMOND.downstream_of_any([]) == frozenset()


@quick
@given(acyclic())
def test_the_order_is_topological_and_keeps_declaration_within_a_depth(
    parents: dict[str, tuple[str, ...]],
) -> None:
    dag = Dag(parents)
    location = {node: index for index, node in enumerate(dag.nodes)}
    assert sorted(dag.nodes) == sorted(parents)
    assert all(location[up] < location[node] for node, ups in parents.items() for up in ups)

    def depth(node: str) -> int:
        return 1 + max((depth(up) for up in parents[node]), default=-1)

    declared = list(parents)
    keys = [(depth(node), declared.index(node)) for node in dag.nodes]
    assert keys == sorted(keys)


@quick
@given(acyclic(), st.none() | st.integers(0, 4))
def test_reach_agrees_with_a_naive_walk(parents: dict[str, tuple[str, ...]], depth: int | None) -> None:
    dag = Dag(parents)
    up = {node: set(ups) for node, ups in parents.items()}
    down = {node: {other for other in parents if node in parents[other]} for node in parents}
    steps = len(parents) if depth is None else depth
    for node in parents:
        assert set(dag.upstream(node, depth)) == naive_reach(up, node, steps)
        assert set(dag.downstream(node, depth)) == naive_reach(down, node, steps)
        assert list(dag.upstream(node)) == [other for other in dag.nodes if other in dag.upstream(node)]
    several = list(parents)[::2]
    assert dag.upstream_of_any(several, depth) == {n for s in several for n in naive_reach(up, s, steps)}
    assert dag.downstream_of_any(several, depth) == {n for s in several for n in naive_reach(down, s, steps)}


def test_sort_gives_each_node_once_in_topological_order() -> None:
    assert DIAMOND.sort(["d", "a", "b", "a", "c"]) == ("a", "c", "b", "d")


@pytest.mark.parametrize(
    ("parents", "printed"),
    [
        ({"a": ("a",)}, "a -> a"),
        ({"a": ("b",), "b": ("a",)}, "a -> b -> a"),
        ({"root": (), "a": ("c", "root"), "b": ("a",), "c": ("b",)}, "a -> b -> c -> a"),
        ({"late": ("x",), "x": ("y",), "y": ("x",)}, "x -> y -> x"),
        ({"tail": ("b",), "b": ("c",), "c": ("b",), "root": ()}, "b -> c -> b"),
    ],
)
def test_a_cycle_is_printed_in_the_direction_of_the_data(parents: dict[str, tuple[str, ...]], printed: str) -> None:
    with pytest.raises(CycleError) as caught:
        Dag(parents)
    assert caught.value.message == f"these need each other in a circle: {printed}"
    assert caught.value.remedy == "each feeds the next; take one of these upstreams away"
    assert caught.value.cycle == tuple(printed.split(" -> "))
    assert isinstance(caught.value, DeclarationError)


def test_an_unknown_upstream_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownUpstreamError) as caught:
        Dag({"silver.air_quality": (), "gold.fact": ("silver.air_qualty",)})
    assert caught.value.message == "gold.fact names the upstream silver.air_qualty, which is not declared"
    assert caught.value.remedy == "did you mean silver.air_quality?"
    assert (caught.value.node, caught.value.upstream) == ("gold.fact", "silver.air_qualty")
    assert isinstance(caught.value, DeclarationError)


def test_an_unknown_upstream_that_is_near_nothing() -> None:
    with pytest.raises(UnknownUpstreamError) as caught:
        Dag({"gold.fact": ("xyz",)})
    assert caught.value.remedy == "declare xyz, or take it away from gold.fact"


def test_an_upstream_named_twice_counts_once() -> None:
    dag = Dag({"a": (), "b": ("a", "a")})
    assert dag.parents["b"] == ("a",)
    assert dag.children["a"] == ("b",)
    assert dag.nodes == ("a", "b")


def test_the_graph_does_not_follow_its_source() -> None:
    source: dict[str, tuple[str, ...]] = {"a": ()}
    dag = Dag(source)
    source["b"] = ("a",)
    assert dag.nodes == ("a",)
    assert dict(dag.parents) == {"a": ()}


@pytest.mark.parametrize("depth", [None, 0, 1])
def test_an_unknown_node_is_a_key_error(depth: int | None) -> None:
    with pytest.raises(KeyError, match="nope"):
        DIAMOND.upstream("nope", depth)
    with pytest.raises(KeyError, match="nope"):
        DIAMOND.sort(["nope"])


def test_a_negative_depth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth must be 0 or more, or None \(got -1\)"):
        DIAMOND.downstream("a", -1)


def test_ten_thousand_nodes_take_well_under_a_second() -> None:
    """A chain, a ladder (both as deep as they are long), a random graph: measured 0.3 s on one core."""
    size, chance = 10_000, random.Random(1)
    chain: dict[str, tuple[str, ...]] = {f"n{i}": (f"n{i - 1}",) if i else () for i in range(size)}
    ladder = {f"n{i}": tuple(f"n{j}" for j in range(max(i - 2, 0), i)) for i in range(size)}
    mesh = {f"n{i}": tuple({f"n{chance.randrange(i)}" for _ in range(3)}) if i else () for i in range(size)}
    started = time.process_time()
    assert len(Dag(chain).downstream("n0")) == size - 1
    assert len(Dag(chain).upstream(f"n{size - 1}")) == size - 1
    assert len(Dag(ladder).downstream("n0")) == size - 1
    assert len(Dag(mesh).downstream("n0")) == size - 1
    assert time.process_time() - started < 1

"""What is declared, what a plan reads and what a run reads."""

from __future__ import annotations

from orchestration.core.lineage.compare import Difference, differences


def test_all_agree() -> None:
    assert differences("gold.x", ["silver.a"], ["silver.a"], ["silver.a"]) == ()


def test_an_undeclared_read_is_named_with_who_says_so() -> None:
    (found,) = differences("gold.x", ["silver.a"], ["silver.a", "silver.b"], ["silver.a"])
    assert found == Difference("gold.x", "undeclared", "silver.b", ("its plan",))
    assert str(found) == "gold.x reads silver.b, says its plan, and does not declare it"


def test_a_declared_table_that_is_never_read_is_named() -> None:
    (found,) = differences("gold.x", ["silver.a", "silver.b"], ["silver.a"], ["silver.a"])
    assert str(found) == "gold.x declares silver.b, which is never read, says its plan and the run"


def test_a_run_may_say_otherwise_than_the_plan() -> None:
    found = differences("gold.x", ["silver.a"], ["silver.a"], ["silver.c"])
    assert [(one.kind, one.of, one.sides) for one in found] == [
        ("unused", "silver.a", ("the run",)),
        ("undeclared", "silver.c", ("the run",)),
    ]


def test_without_a_run_the_plan_alone_is_asked() -> None:
    assert differences("gold.x", ["silver.a"], ["silver.a"]) == ()

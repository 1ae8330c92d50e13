"""Canonical forms of a function like the real ones: any name is as good, every constant and every operator counts."""

from __future__ import annotations

import ast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.code_packages import FormOf

REAL = '''
from pyspark.sql import functions as F
HOURS = 24
def session(): return HOURS
def root(frame, *, episode_rule):
    """Runs."""
    hours = frame.by("location_key").order("ts_utc")
    flagged = frame.where(F.col("aqi") >= episode_rule.threshold)
    total = 0
    for number, (name, column) in enumerate(flagged.items()):
        if number % 2 == 1 and name != "x":
            total = total + number * 3
    columns = {key: F.lit(value) for key, value in flagged.items() if key < 9}
    def inner(given, factor=4):
        best = given * factor - total
        return [best + one for one in hours]
    return inner(session() / 7), columns, lambda left: left - 5
'''
LOCALS = [
    *("frame", "hours", "flagged", "total", "number", "name", "column", "columns"),
    *("key", "value", "inner", "given", "factor", "best", "one", "left"),
]
NEW = st.lists(
    st.sampled_from([*LOCALS, "a", "b", "c", "session_", "Frame", "x1", "é", "F_", "HOURS_"]),
    min_size=len(LOCALS),
    max_size=len(LOCALS),
    unique=True,
)


def renamed(text: str, names: dict[str, str]) -> str:
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.copy_location(ast.Name(names.get(node.id, node.id), node.ctx), node)

        def visit_arg(self, node: ast.arg) -> ast.AST:
            return ast.copy_location(ast.arg(names.get(node.arg, node.arg), node.annotation), node)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            self.generic_visit(node)
            node.name = names.get(node.name, node.name)
            return node

    return ast.unparse(ast.fix_missing_locations(Rename().visit(ast.parse(text))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=NEW)
def test_local_variables_may_be_called_anything(new: list[str], form: FormOf) -> None:
    assert form(renamed(REAL, dict(zip(LOCALS, new, strict=True)))).text == form(REAL).text


class Mutations(ast.NodeTransformer):
    """Changes the ``at``-th constant or operator."""

    def __init__(self, at: int) -> None:
        self.left = at

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        new: ast.AST | None = None
        match node:
            case ast.Constant(value=int() as value):
                new = ast.Constant(value + 1)
            case ast.Constant(value=str() as value) if value != "Runs.":
                new = ast.Constant(value + "_")
            case ast.Add() | ast.Div():
                new = ast.Sub()
            case ast.Sub() | ast.Mult() | ast.Mod():
                new = ast.Add()
            case ast.Eq() | ast.NotEq() | ast.GtE():
                new = ast.Lt()
            case ast.Lt():
                new = ast.LtE()
            case ast.And():
                new = ast.Or()
        if new is None:
            return node
        self.left -= 1
        return new if self.left == -1 else node


def test_every_constant_and_every_operator_counts(form: FormOf) -> None:
    texts = {form(REAL).text}
    count = 0
    while True:
        mutations = Mutations(count)
        tree = ast.fix_missing_locations(mutations.visit(ast.parse(REAL)))
        if mutations.left >= 0:
            break
        count += 1
        texts.add(form(ast.unparse(tree)).text)
    assert count > 20
    assert len(texts) == count + 1

"""Resolves names in an unresolved plan of Spark Connect, by the rules of Spark's analyzer.

There are names with the id of a plan (columns of a certain frame), and names without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from orchestration.core.lineage.plan import Column, Expression, Made, Named, Project, Relation, Unknown

_PART = re.compile(r"`((?:[^`]|``)+)`|([^.`]+)")


class Seen(NamedTuple):
    """A column under its name. qualifier: the alias of its relation, if it has one."""

    attribute: int
    name: str
    qualifier: str = ""


class _Plan(NamedTuple):
    """The columns of a relation below that has an id."""

    id: int
    depth: int
    columns: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """A relation, and the names that can be used above it."""

    relation: Relation
    columns: tuple[Seen, ...]
    plans: tuple[_Plan, ...] = ()
    """The plans with ids: its own and those below."""
    hidden: tuple[Seen, ...] = ()
    """Columns that it has dropped and that filters and orders right above can still use."""

    def of_plan(self, number: int, below: Iterable[Scope]) -> Scope:
        """The same scope with the id of its plan, and with the plans below."""
        deeper = (plan._replace(depth=plan.depth + 1) for scope in below for plan in scope.plans)
        return replace(self, plans=(_Plan(number, 0, self.columns), *deeper))

    def beside(self, other: Scope, relation: Relation) -> Scope:
        """The scope with the columns of ``other`` after its own."""
        return Scope(relation, self.columns + other.columns, self.plans + other.plans)

    def resolved(self, identifier: str, plan: int | None = None) -> Expression:
        """The expression that a name stands for. plan: the id of the plan whose column it is."""
        parts = parts_of(identifier)
        found = self._of_plan(parts, plan) if plan is not None else _matching(parts, self.columns)
        numbers = {one.attribute for one, _ in found}
        if len(numbers) != 1:
            return Unknown(f"column {identifier}")
        is_field = next(is_field for _, is_field in found)
        return Made((Column(numbers.pop()),)) if is_field else Column(numbers.pop())

    def _of_plan(self, parts: Sequence[str], number: int) -> list[tuple[Seen, bool]]:
        there = {one.attribute for one in self.columns}
        found = [
            (plan.depth, one)
            for plan in self.plans
            if plan.id == number
            for one in _matching(parts, plan.columns)
            if one[0].attribute in there
        ]
        nearest = min((depth for depth, _ in found), default=0)
        return [one for depth, one in found if depth == nearest]

    def with_hidden(self) -> Scope | None:
        """The scope with its dropped columns; None where none were dropped."""
        if not self.hidden or not isinstance(self.relation, Project):
            return None
        more = tuple(Named(one.attribute, one.name, Column(one.attribute)) for one in self.hidden)
        project = replace(self.relation, columns=self.relation.columns + more)
        return Scope(project, self.columns + self.hidden, self.plans)


def parts_of(identifier: str) -> list[str]:
    """``a.`b.c` `` → a, b.c."""
    return [quoted.replace("``", "`") or bare for quoted, bare in _PART.findall(identifier)]


def _matching(parts: Sequence[str], columns: Iterable[Seen]) -> list[tuple[Seen, bool]]:
    """The columns that a name can mean; and for each whether the name means a field of it."""
    lower = [part.lower() for part in parts]
    columns = tuple(columns)
    if len(lower) > 1:
        qualified = [one for one in columns if [one.qualifier.lower(), one.name.lower()] == lower[:2]]
        if qualified:
            return [(one, len(lower) > 2) for one in qualified]
    return [(one, len(lower) > 1) for one in columns if lower and one.name.lower() == lower[0]]

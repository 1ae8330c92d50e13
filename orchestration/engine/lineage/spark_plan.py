"""Converts Spark's analyzed plan, as its ``toJSON`` writes it, to a plan of ``core.lineage.plan``. Takes JSON values;
needs no JVM.

A tree is a list of nodes, each before its children. A field that means a child has the child's number; a field with
another tree holds that tree. Attributes are identified by the ids of their expressions. Source: ``TreeNode.toJSON`` of
Spark 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.core.lineage.functions import called
from orchestration.core.lineage.plan import (
    CONSTANT,
    Aggregate,
    Column,
    Distinct,
    Expression,
    Filter,
    Foreign,
    Input,
    Join,
    Made,
    Named,
    Opaque,
    Origin,
    Output,
    Project,
    Relation,
    Sort,
    Union,
    Unknown,
    Values,
    Windowed,
    outputs,
)
from orchestration.engine.lineage.marks import input_of

_CATALYST = "org.apache.spark.sql.catalyst.expressions."
_PASSED_ON = frozenset(
    {
        *("GlobalLimit", "LocalLimit", "Limit", "Offset", "Tail", "Sample", "Repartition", "RepartitionByExpression"),
        *("RebalancePartitions", "ResolvedHint", "UnresolvedHint", "CollectMetrics", "View"),
    }
)
"""Relations that only limit or move rows."""
_READS = frozenset({"LogicalRelation", "DataSourceV2Relation", "DataSourceV2ScanRelation", "HiveTableRelation"})
_CHOICES = {
    "CaseWhen": "when",
    "If": "if",
    "Coalesce": "coalesce",
    "NaNvl": "nanvl",
}
"""Expression → the function with the same meaning."""
_RANKS = frozenset({"RowNumber", "Rank", "DenseRank", "PercentRank", "CumeDist", "NTile"})
_UNREADABLE = frozenset(
    {
        *("ScalarSubquery", "Exists", "InSubquery", "ListQuery", "LateralSubquery", "OuterReference", "DynamicPruning"),
        *("PythonUDF", "PythonUDAF", "PythonUDTF", "ScalaUDF"),
        *("TimeWindow", "SessionWindow", "PreciseTimestampConversion"),
    }
)
"""Expressions of Catalyst that are more than their children, or stand for several rows (windows of time). The value of
every other one is made of its children alone."""
_OF_THEIR_OWN = ("objects.", "aggregate.PivotFirst", "aggregate.Scala", "aggregate.Typed")


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    full: str
    fields: Mapping[str, Any]
    children: tuple[_Node, ...]


def _tree(nodes: Sequence[Mapping[str, Any]]) -> _Node:
    waiting = iter(nodes)

    def read() -> _Node:
        fields = next(waiting)
        below = tuple(read() for _ in range(fields["num-children"]))
        return _Node(fields["class"].rpartition(".")[2].rstrip("$"), fields["class"], fields, below)

    return read()


class SparkPlan:
    """Converts a plan. inputs: for each marked frame, the origins of its rows. read: names of what the plan reads by
    itself, in the order of the reading leaves."""

    def __init__(self, inputs: Sequence[tuple[Origin, ...]], read: Sequence[str] = ()) -> None:
        self._inputs = inputs
        self._read = iter(read)
        self._common: list[Expression] = []

    def relation(self, plan: Sequence[Mapping[str, Any]]) -> Relation:
        """The relation of a plan's JSON."""
        return self._relation(_tree(plan))

    # --- relations ----------------------------------------------------------------------------------------------

    def _relation(self, node: _Node) -> Relation:
        number = input_of(node.fields["identifier"]["name"]) if node.kind == "SubqueryAlias" else None
        below = tuple(self._relation(child) for child in node.children)
        if number is not None:
            return Input(self._inputs[number], outputs(below[0]))
        if node.kind == "SubqueryAlias" or node.kind in _PASSED_ON:
            return below[0]
        if node.kind in ("LocalRelation", "Range"):
            return Values(self._outputs(node, "output"))
        if node.kind == "OneRowRelation":
            return Values(())
        if node.kind in _READS:
            return Foreign(next(self._read, node.kind), self._outputs(node, "output"))
        return self._made(node, below) or Opaque(node.kind, below, self._outputs(node, "output"))

    def _made(self, node: _Node, below: tuple[Relation, ...]) -> Relation | None:
        fields = node.fields
        match node.kind:
            case "Project":
                return Project(below[0], self._columns(fields["projectList"]))
            case "Filter":
                return Filter(below[0], self._of(fields["condition"]))
            case "Aggregate":
                keys = tuple(map(self._of, fields["groupingExpressions"]))
                return Aggregate(below[0], keys, self._columns(fields["aggregateExpressions"]))
            case "Window":
                return Project(below[0], (*_passed(below[0]), *self._columns(fields["windowExpressions"])))
            case "Sort":
                return Sort(below[0], tuple(map(self._of, fields["order"])))
            case "Deduplicate":
                return Distinct(below[0], tuple(one.attribute for one in self._attributes(fields["keys"])))
            case "Distinct":
                return Distinct(below[0], tuple(one.attribute for one in outputs(below[0])))
            case "Union":
                return Union(below, outputs(below[0]))
            case "Intersect" | "Except":
                compared = Made(tuple(Column(one.attribute) for side in below for one in outputs(side)))
                return Join(below[0], below[1], compared, left_alone=True)
            case "Generate":
                made = Made((self._of(fields["generator"]),))
                rows = tuple(Named(*one, made) for one in self._attributes(fields["generatorOutput"]))
                return Project(below[0], (*_passed(below[0]), *rows))
            case "Join":
                return self._join(fields, below)
        return None

    def _join(self, fields: Mapping[str, Any], below: tuple[Relation, ...]) -> Relation | None:
        how = str(fields["joinType"].get("object", fields["joinType"].get("product-class"))).rpartition(".")[2]
        if how not in ("Inner$", "Cross$", "LeftOuter$", "RightOuter$", "FullOuter$", "LeftSemi$", "LeftAnti$"):
            return None
        condition = None if fields.get("condition") is None else self._of(fields["condition"])
        return Join(below[0], below[1], condition, how in ("LeftSemi$", "LeftAnti$"))

    def _outputs(self, node: _Node, name: str) -> tuple[Output, ...]:
        written = node.fields.get(name)
        return self._attributes(written) if isinstance(written, list) else ()

    def _attributes(self, written: Sequence[Any]) -> tuple[Output, ...]:
        nodes = (_tree(one) for one in written)
        return tuple(Output(_id(one), one.fields["name"]) for one in nodes if one.kind == "AttributeReference")

    # --- expressions --------------------------------------------------------------------------------------------

    def _columns(self, written: Sequence[Any]) -> tuple[Named, ...]:
        return tuple(self._named(_tree(one)) for one in written)

    def _named(self, node: _Node) -> Named:
        return Named(_id(node), node.fields["name"], self._expression(node))

    def _of(self, written: Sequence[Mapping[str, Any]]) -> Expression:
        return self._expression(_tree(written))

    def _expression(self, node: _Node) -> Expression:
        match node.kind:
            case "AttributeReference":
                return Column(_id(node))
            case "Literal" | "NamedLambdaVariable":
                return CONSTANT
            case "Alias" | "SortOrder":
                return self._expression(node.children[0])
            case "With":
                return self._with(node)
            case "CommonExpressionRef":
                return self._common[-1] if self._common else Unknown(node.kind)
            case "WindowExpression":
                function, window = node.children
                return Windowed(self._expression(function), self._all(window.children))
            case "AggregateExpression":
                function, *condition = node.children
                if self._cannot_be_read(function):
                    return Unknown(function.kind)
                return Made(self._all(function.children), self._all(condition), aggregate=True)
        if node.kind in _RANKS:
            return CONSTANT
        if "replacement" in node.fields:  # its own arguments are no children, and keep ids that its children have lost
            return self._expression(node.children[0])
        if self._cannot_be_read(node):
            return Unknown(node.kind)
        arguments = self._all(node.children)
        return called(_CHOICES[node.kind], arguments) if node.kind in _CHOICES else Made(arguments)

    def _with(self, node: _Node) -> Expression:
        """An expression of which a part occurs several times. ``toJSON`` has no ids for such parts; but each function
        that is written so has one of its own, and does not refer to one around it."""
        made, *commons = node.children
        if len(commons) != 1:
            return Unknown(node.kind)
        self._common.append(self._expression(commons[0].children[0]))
        try:
            return self._expression(made)
        finally:
            self._common.pop()

    def _all(self, nodes: Sequence[_Node]) -> tuple[Expression, ...]:
        return tuple(self._expression(node) for node in nodes)

    @staticmethod
    def _cannot_be_read(node: _Node) -> bool:
        own = node.full.removeprefix(_CATALYST)
        return own == node.full or node.kind in _UNREADABLE or own.startswith(_OF_THEIR_OWN)


def _id(node: _Node) -> int:
    return int(node.fields["exprId"]["id"])


def _passed(of: Relation) -> Iterator[Named]:
    """The columns of a relation, passed on."""
    return (Named(one.attribute, one.name, Column(one.attribute)) for one in outputs(of))

"""Row rules as expressions: one array column with the name of every rule that a row breaks. Built-in functions only."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from orchestration.core.declarations.contract import RowRule

MICROSECONDS_AN_HOUR = 3_600_000_000


def broken_rules(rules: Sequence[RowRule]) -> Column:
    """The names of the rules that a row breaks, each once, in the order of ``rules``; empty where it breaks none."""
    broken: dict[str, Column] = {}
    for rule in rules:
        condition = _breaks(rule)
        broken[rule.rule] = broken[rule.rule] | condition if rule.rule in broken else condition
    if not broken:
        return F.array().cast("array<string>")
    return F.filter(
        F.array(*[F.when(condition, F.lit(name)) for name, condition in broken.items()]),
        lambda name: name.isNotNull(),
    )


def _breaks(rule: RowRule) -> Column:
    """True where the row breaks ``rule``, else false; never null."""
    column = F.col(rule.column)
    match rule.kind:
        case "null":
            return column.isNull()
        case "below":  # NaN breaks not_finite, not these; engines sort it above or below every number, by its sign
            return _true((column < F.lit(rule.bound)) & ~F.isnan(column))
        case "above":
            return _true((column > F.lit(rule.bound)) & ~F.isnan(column))
        case "not_finite":
            return _true(F.isnan(column) | column.isin(float("inf"), float("-inf")))
        case "off_hour":
            return _true(F.unix_micros(column) % MICROSECONDS_AN_HOUR != 0)
        case "other_day":
            return _true(F.to_date(column) != F.col(str(rule.other)))


def _true(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))

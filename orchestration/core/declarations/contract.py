"""A table's contract as plain values: columns, key, row rules. Knows neither pandera nor Spark.

Contracts are declared once, as pandera models (``assets/contracts.py``). This is the form in which everything
else uses them: Delta's schema and comments, the compiled row rules, docs/TABLES.md, the contract's digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from orchestration.core.errors import DeclarationError

RuleKind = Literal["null", "below", "above", "not_finite", "off_hour", "other_day"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    """The Delta name: ``string``, ``integer``, ``double``, ``timestamp``, ``date``, ``boolean`` or
    ``array<string>``.
    """
    nullable: bool
    unit: str
    """The unit of the values; empty where they have none."""
    description: str
    made_of: tuple[str, ...] | None = None
    """The columns from which this one is made: ``column`` of the first upstream asset or of the source, or
    ``layer.name.column`` of another upstream asset. None where the contract does not say."""

    @property
    def comment(self) -> str:
        """What the table's metadata says of this column."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


@dataclass(frozen=True, slots=True)
class RowRule:
    """A condition under which a row breaks a rule: the value of ``column`` is below or above ``bound``, not finite,
    null, …"""

    rule: str
    """The name of the rule, as the quarantine table shows it. Several conditions can have the same name."""
    kind: RuleKind
    """Which condition it is."""
    column: str
    bound: float | None = None
    other: str | None = None
    """For the kind ``other_day``: the column with the day on which ``column`` must lie."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table must be: its columns in their order, its unique key, and its row rules."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns whose values together are unique."""
    rules: tuple[RowRule, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits. They change with what the contract demands, not with its descriptions."""
        demands = {
            "columns": [[column.name, column.type, column.nullable] for column in self.columns],
            "key": self.key,
            "rules": [asdict(rule) for rule in self.rules],
        }
        return hashlib.sha256(json.dumps(demands, sort_keys=True).encode()).hexdigest()[:16]

    def delta_schema(self) -> dict[str, Any]:
        """The schema as Delta's protocol writes it, with NOT NULL and comments."""
        return {"type": "struct", "fields": [_delta_field(column) for column in self.columns]}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contract:
        """The inverse of ``to_json``."""
        return cls(
            name=data["name"],
            description=data["description"],
            columns=tuple(_column(column) for column in data["columns"]),
            key=tuple(data["key"]),
            rules=tuple(RowRule(**rule) for rule in data["rules"]),
        )


def _column(data: Mapping[str, Any]) -> Column:
    made_of = data.get("made_of")
    return Column(**{**data, "made_of": None if made_of is None else tuple(made_of)})


def _delta_field(column: Column) -> dict[str, Any]:
    kind: Any = column.type
    if kind.startswith("array<"):
        kind = {"type": "array", "elementType": kind[6:-1], "containsNull": True}
    return {
        "name": column.name,
        "type": kind,
        "nullable": column.nullable,
        "metadata": {"comment": column.comment},
    }


def models_among(values: Iterable[object]) -> dict[str, Any]:
    """The contract models among ``values`` (for instance all values of a module), by the name of their class.

    A class whose name begins with ``_`` is only a base of others. Raises DeclarationError for a model without a key,
    and for two models with the same name.
    """
    found: dict[str, Any] = {}
    for value in values:
        if not isinstance(value, type) or not hasattr(value, "to_schema") or value.__name__.startswith("_"):
            continue
        name = value.__name__
        if not getattr(getattr(value, "Config", None), "unique", None):
            raise DeclarationError(
                f"contract {name}: has no key",
                'Name the columns that are unique together: class Config: unique = ["…"]; '
                f"or call it _{name}, if it is there for others to be made of.",
            )
        if found.setdefault(name, value) is not value:
            raise DeclarationError(f"contract {name} is declared twice", "Rename one of the two classes.")
    return found


def tables_page(
    contracts: Mapping[str, Contract], keys: Sequence[str], intro: str, partitions: Mapping[str, str] | None = None
) -> str:
    """The Markdown page that describes every table: docs/TABLES.md. partitions: asset key → what a partition of it is,
    in a sentence."""
    lines = ["# Tables", "", intro, ""]
    for key in keys:
        contract = contracts[key]
        lines += [f"## {key}", "", contract.description, "", f"Key: {', '.join(contract.key)}."]
        lines += [*filter(None, [(partitions or {}).get(key)]), ""]
        lines += ["| column | type | null | unit | what it holds |", "|---|---|---|---|---|"]
        for column in contract.columns:
            null = "yes" if column.nullable else "no"
            description = column.description.replace("|", "\\|")
            lines.append(f"| {column.name} | {column.type} | {null} | {column.unit} | {description} |")
        if contract.rules:
            lines += ["", "Row rules (a row that breaks one goes to quarantine):", ""]
            lines += [f"- `{name}`: {text}" for name, text in _rules_in_words(contract.rules).items()]
        lines.append("")
    return "\n".join(lines)


def _rules_in_words(rules: Sequence[RowRule]) -> dict[str, str]:
    words: dict[str, list[str]] = {}
    for rule in rules:
        words.setdefault(rule.rule, []).append(describe(rule))
    return {name: "; ".join(parts) for name, parts in words.items()}


def describe(rule: RowRule) -> str:
    """A row rule in words: ``level > 5,000``."""
    match rule.kind:
        case "null":
            return f"{rule.column} is null"
        case "below":
            return f"{rule.column} < {rule.bound:,g}"
        case "above":
            return f"{rule.column} > {rule.bound:,g}"
        case "not_finite":
            return f"{rule.column} is NaN or infinite"
        case "off_hour":
            return f"{rule.column} is not on the full hour"
        case "other_day":
            return f"{rule.column} does not lie on {rule.other}"

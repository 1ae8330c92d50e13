"""How the columns of a table differ from its contract, and what makes them agree.

There are three cases. A commit of metadata is enough: a nullable column is added, or a comment changes; the table
*grows*. Or the rows have to be written again, by ``aqi migrate``. Or it cannot be done: the contract has another key.
Columns are compared by name; their order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.core.declarations.contract import Column, Contract

TypeChange = Literal["same", "lossless", "checked", "refused"]

_WIDER: Mapping[str, frozenset[str]] = {
    "byte": frozenset({"short", "integer", "long", "float", "double"}),
    "short": frozenset({"integer", "long", "float", "double"}),
    "integer": frozenset({"long", "double"}),
    "float": frozenset({"double"}),
    "date": frozenset({"timestamp"}),
}
"""The types that a type can become whatever its values are. A date becomes its first instant in UTC."""
_FAMILIES = (frozenset({"byte", "short", "integer", "long", "float", "double"}), frozenset({"date", "timestamp"}))


def type_change(before: str, after: str) -> TypeChange:
    """What a change of type does to values.

    ``lossless``: no value changes. ``checked``: allowed if every value is the same after conversion and back.
    ``refused``: for texts, booleans and lists, and for any conversion to text. Then a new column is needed.
    """
    if before == after:
        return "same"
    if after in _WIDER.get(before, ()):
        return "lossless"
    return "checked" if any({before, after} <= family for family in _FAMILIES) else "refused"


def type_name(kind: Any) -> str:
    """A type of Delta's schema JSON as a word: ``double``, ``array<string>``."""
    if not isinstance(kind, Mapping):
        return str(kind)
    match kind.get("type"):
        case "array":
            return f"array<{type_name(kind['elementType'])}>"
        case "map":
            return f"map<{type_name(kind['keyType'])},{type_name(kind['valueType'])}>"
        case "struct":
            fields = (f"{field['name']}:{type_name(field['type'])}" for field in kind["fields"])
            return f"struct<{','.join(fields)}>"
        case other:
            return str(other)


@dataclass(frozen=True, slots=True)
class TableDifference:
    """How a table differs from its contract, in groups of columns by what has to be done about them.

    A commit of metadata mends ``added``, ``loosened`` and ``comments``. `aqi migrate` mends ``removed``, ``renamed``,
    ``retyped``, ``tightened`` and ``added_required``. Nothing has to be done about ``foreign``.
    """

    table: str
    """The key of the table's asset."""
    added: tuple[Column, ...] = ()
    """Nullable columns that the contract has and the table has not."""
    loosened: tuple[str, ...] = ()
    """Columns that are NOT NULL in the table and may be null by the contract."""
    comments: tuple[str, ...] = ()
    """Columns with another comment; "" stands for the description of the table."""
    removed: tuple[str, ...] = ()
    """Columns that commits of this project recorded, and that the contract no longer has."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Pairs of a column that only the table has, and one that only the contract has. They may be the same column under
    two names; only the author of the contract knows."""
    retyped: tuple[tuple[str, str, str], ...] = ()
    """(column, type in the table, type in the contract)."""
    tightened: tuple[str, ...] = ()
    """Columns that may be null in the table and must not be null by the contract."""
    added_required: tuple[str, ...] = ()
    """Columns that the contract has and the table has not, and that must not be null."""
    foreign: tuple[str, ...] = ()
    """Columns that somebody else added. They stay, and are null in new rows."""
    foreign_required: tuple[str, ...] = ()
    """Those of ``foreign`` that must not be null. Because of them no row can be written."""
    refused: str = ""
    """Why no command makes table and contract agree; "" where one does."""

    @property
    def needs_migration(self) -> bool:
        """Whether `aqi migrate` is needed."""
        changes = (self.removed, self.renamed, self.retyped, self.tightened, self.added_required)
        return not self.refused and any(changes)

    @property
    def grows(self) -> bool:
        """Whether there is a difference, and one commit of metadata is enough."""
        changes = (self.added, self.loosened, self.comments)
        return not self.refused and not self.foreign_required and not self.needs_migration and any(changes)

    @property
    def blocks(self) -> bool:
        """Whether no row can be written to the table as it is."""
        return bool(self.refused or self.foreign_required or self.needs_migration)

    def by_others(self, followed: bool) -> bool:
        """Whether somebody else changed the table, rather than the author the contract. followed: whether the last rows
        were made under this very contract; then the table did agree with it."""
        theirs = (self.retyped, self.tightened, self.added_required, self.recased)
        return followed and not self.removed and not self.refused and any(theirs)

    @property
    def recased(self) -> tuple[tuple[str, str], ...]:
        """Pairs as of ``renamed`` where no commit of ours has ever recorded the table's name."""
        return tuple(pair for pair in self.renamed if pair[0] not in self.removed)

    @property
    def of_others(self) -> str:
        """The changes by others, in words."""
        said = self._columns()
        said += [f"{name} is called {other}" for other, name in self.recased]
        if self.added_required:
            said.append(f"{_names(self.added_required)} is gone")
        if self.foreign_required:
            said.append(f"{_names(self.foreign_required)} was added, which must not be null")
        return "; ".join(said)

    @property
    def remedy(self) -> str:
        """What to do, a sentence; "" where nothing has to be done."""
        if self.refused:
            return "Change the contract back, or declare another asset for what it says now."
        if self.foreign_required:
            return f"Let {_names(self.foreign_required)} be null: others added {_them(self.foreign_required)}."
        lost = [one for one in self.retyped if type_change(*one[1:]) == "refused"]
        if lost:
            name, before, after = lost[0]
            return (
                f"No command makes {after} of {before}: change the contract back, or leave {name} in it and add a "
                "column of another name."
            )
        if self.needs_migration:
            return f"Run `aqi migrate {self.table}`, which shows its plan first, or change the contract back."
        return "One commit of metadata does it; no row is written." if self.grows else ""

    def in_words(self) -> str:
        """The table, every column that differs, and what to do, in sentences."""
        said = [self.refused] if self.refused else []
        if columns := [*self._columns(), *(f"{name}: table not null, contract nullable" for name in self.loosened)]:
            said.append("; ".join(columns))
        if changes := [*self._migrations(), *self._growth()]:
            said.append(f"its contract {'; '.join(changes)}")
        if optional := _less(self.foreign, self.foreign_required):
            said.append(f"others added {_names(optional)}: kept, null in new rows")
        if self.foreign_required:
            said.append(f"others added {_names(self.foreign_required)}, which must not be null")
        return f"{self.table}: {'. '.join(said) or 'as its contract says'}. {self.remedy}".strip()

    def _columns(self) -> list[str]:
        """Each column that needs a migration, with what differs."""
        return [
            *(f"{name}: table {before}, contract {after}" for name, before, after in self.retyped),
            *(f"{name}: table nullable, contract not null" for name in self.tightened),
        ]

    def _migrations(self) -> list[str]:
        olds = _once(old for old, _ in self.renamed)
        changes = [f"has no {_names(gone)} any more" for gone in [_less(self.removed, olds)] if gone]
        for old in olds:
            new_names = [new for before, new in self.renamed if before == old]
            changes.append(f"has no {old} any more, which may now be called {' or '.join(new_names)}")
        if self.added_required:
            changes.append(f"adds {_names(self.added_required)}, which must not be null")
        return changes

    def _growth(self) -> list[str]:
        changes = []
        if self.added:
            changes.append(f"adds {_names(f'{column.name} ({column.type})' for column in self.added)}")
        if self.blocks:
            return changes  # other words are no difference that anybody has to mend
        columns = [name for name in self.comments if name]
        if columns:
            changes.append(f"describes {_names(columns)} differently")
        if "" in self.comments:
            changes.append("describes the table differently")
        return changes


def compare(
    table: str,
    contract: Contract,
    fields: Sequence[Mapping[str, Any]],
    description: str | None,
    recorded: frozenset[str] = frozenset(),
    key: Sequence[str] | None = None,
) -> TableDifference:
    """How a table differs from its contract.

    fields: the fields of the table, as in Delta's schema JSON. recorded: columns that commits of this project have
    recorded. key: the columns that were unique in the existing rows, where that is known.
    """
    there = {str(field["name"]): field for field in fields}
    wanted = {column.name: column for column in contract.columns}
    both = [name for name in wanted if name in there]
    lacking = [column for column in contract.columns if column.name not in there]
    beyond = [name for name in there if name not in wanted]
    removed = tuple(name for name in beyond if name in recorded)
    renamed = _renamed(there, removed, beyond, lacking)
    new_names = {new for old, new in renamed if old.casefold() == new.casefold()}  # Delta takes them for the same name
    foreign = tuple(name for name in beyond if name not in recorded and name not in {old for old, _ in renamed})
    types = [(name, type_name(there[name]["type"]), wanted[name].type) for name in both]
    comments = [name for name in both if _comment(there[name]) != wanted[name].comment]
    return TableDifference(
        table=table,
        added=tuple(column for column in lacking if column.nullable and column.name not in new_names),
        loosened=tuple(name for name in both if wanted[name].nullable and not there[name]["nullable"]),
        comments=(*comments, *([] if (description or "") == contract.description else [""])),
        removed=removed,
        renamed=renamed,
        retyped=tuple((name, before, after) for name, before, after in types if before != after),
        tightened=tuple(name for name in both if there[name]["nullable"] and not wanted[name].nullable),
        added_required=tuple(column.name for column in lacking if not column.nullable and column.name not in new_names),
        foreign=foreign,
        foreign_required=tuple(name for name in foreign if not there[name]["nullable"]),
        refused=_refused(contract, key),
    )


def _renamed(
    there: Mapping[str, Mapping[str, Any]], removed: Sequence[str], beyond: Sequence[str], lacking: Sequence[Column]
) -> tuple[tuple[str, str], ...]:
    """Pairs of a removed and a new column of the same type; and of any types, where the names differ only in case."""
    pairs = []
    for old in beyond:
        for column in lacking:
            alike = old in removed and type_name(there[old]["type"]) == column.type
            if alike or old.casefold() == column.name.casefold():
                pairs.append((old, column.name))
    return tuple(pairs)


def _refused(contract: Contract, key: Sequence[str] | None) -> str:
    columns = {column.name: column for column in contract.columns}
    gone = [name for name in contract.key if name not in columns]
    if gone:
        return f"its contract {contract.name} has no {_names(gone)}, which its key names"
    if key is not None and set(key) != set(contract.key):
        lost = [name for name in key if name not in columns]
        drops = f" (it has no {_names(lost)} any more)" if lost else ""
        change = f"the key {_names(contract.key)} in place of {_names(key)}{drops}"
        return f"its contract {contract.name} gives it {change}: rows that were one would be several, or several one"
    nullable = [name for name in contract.key if columns[name].nullable]
    if nullable:
        return f"its contract {contract.name} lets {_names(nullable)} of its key be null"
    names = [name.casefold() for name in columns]
    twice = [name for name in columns if names.count(name.casefold()) > 1]
    if twice:
        return f"its contract {contract.name} has {_names(twice)}, which are the same name to Delta"
    return ""


def grown(there: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The table's fields after it has grown to a contract: in the table's order, with new fields last.

    Both arguments as in Delta's schema JSON. Only changes that need no new rows are made: new nullable fields,
    comments, and that a field may be null. Other metadata stays. Raises ValueError where more would have to be changed.
    """
    by_name = {field["name"]: field for field in wanted}
    fields = [_merged(field, by_name.get(field["name"])) for field in there]
    known = {field["name"] for field in there}
    taken = {name.casefold() for name in known}
    for field in wanted:
        if field["name"] not in known:
            if not field["nullable"]:
                raise ValueError(f"a new column must be nullable (got {field['name']}, which is not)")
            if field["name"].casefold() in taken:
                raise ValueError(f"the table has a column called {field['name']} but for upper and lower case")
            fields.append({**field, "metadata": dict(field["metadata"])})
    return fields


def _merged(there: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    if wanted is None:
        return dict(there)
    name = there["name"]
    if type_name(there["type"]) != type_name(wanted["type"]):
        raise ValueError(f"the type of {name} must stay {type_name(there['type'])} (got {type_name(wanted['type'])})")
    if there["nullable"] and not wanted["nullable"]:
        raise ValueError(f"{name} must stay nullable")
    return {**there, "nullable": wanted["nullable"], "metadata": {**there["metadata"], **wanted["metadata"]}}


def _comment(field: Mapping[str, Any]) -> str:
    return str(field.get("metadata", {}).get("comment", ""))


def _names(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _less(names: Sequence[str], others: Iterable[str]) -> tuple[str, ...]:
    left_out = set(others)
    return tuple(name for name in names if name not in left_out)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))

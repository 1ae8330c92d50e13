"""How a table's columns differ from its contract, and what it takes to bring them together.

Three answers: a commit of metadata (a nullable column more, another comment: the table *grows*), ``aqi migrate`` (its
rows are written again), or never (another key). Columns are compared by name; their order means nothing.
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
"""What a type can become without a look at its values. A day becomes its first instant in UTC."""
_FAMILIES = (frozenset({"byte", "short", "integer", "long", "float", "double"}), frozenset({"date", "timestamp"}))


def type_change(before: str, after: str) -> TypeChange:
    """What a change of type does to values.

    ``lossless``: nothing, whatever they are. ``checked``: allowed if every value survives the way there and back.
    ``refused``: text, truth and lists become nothing else, nor does anything become text: that is a new column.
    """
    if before == after:
        return "same"
    if after in _WIDER.get(before, ()):
        return "lossless"
    return "checked" if any({before, after} <= family for family in _FAMILIES) else "refused"


def type_name(kind: Any) -> str:
    """A type of Delta's schema JSON in a word: ``double``, ``array<string>``."""
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
    """How the table ``table`` (the key of its asset) differs from its contract.

    By a commit of metadata:
    added: nullable columns of the contract that the table lacks. loosened: NOT NULL in the table, nullable by the
    contract. comments: columns whose comment is another; "" for the description of the table itself.

    By a migration:
    removed: columns that commits of ours recorded and the contract has no more. renamed: pairs of a column that only
    the table has and one that only the contract has, which may be the same column: only their author knows.
    retyped: (name, type in the table, type in the contract). tightened: nullable in the table, required by the
    contract. added_required: columns that the table lacks and that must not be null.

    foreign: columns that neither the contract nor a record of ours has; they stay, null in new rows.
    foreign_required: those of them that must not be null, so that no row of ours can be written.
    refused: why no command brings the two together; "" where one does.
    """

    table: str
    added: tuple[Column, ...] = ()
    loosened: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()
    tightened: tuple[str, ...] = ()
    added_required: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    foreign_required: tuple[str, ...] = ()
    refused: str = ""

    @property
    def needs_migration(self) -> bool:
        """Whether it takes ``aqi migrate``."""
        changes = (self.removed, self.renamed, self.retyped, self.tightened, self.added_required)
        return not self.refused and any(changes)

    @property
    def grows(self) -> bool:
        """Whether there is something to change, and one commit of metadata changes all of it."""
        changes = (self.added, self.loosened, self.comments)
        return not self.refused and not self.foreign_required and not self.needs_migration and any(changes)

    @property
    def blocks(self) -> bool:
        """Whether nothing can be written to the table as it is."""
        return bool(self.refused or self.foreign_required or self.needs_migration)

    def by_others(self, followed: bool) -> bool:
        """Whether others changed the table, and not its author the contract. followed: rows were made by this very
        contract last, so the table was once as it says."""
        theirs = (self.retyped, self.tightened, self.added_required, self.recased)
        return followed and not self.removed and not self.refused and any(theirs)

    @property
    def recased(self) -> tuple[tuple[str, str], ...]:
        """Pairs as of ``renamed`` where no commit of ours has ever recorded the table's name."""
        return tuple(pair for pair in self.renamed if pair[0] not in self.removed)

    @property
    def of_others(self) -> str:
        """What they changed, in words."""
        said = self._columns()
        said += [f"{name} is called {other}" for other, name in self.recased]
        if self.added_required:
            said.append(f"{_names(self.added_required)} is gone")
        if self.foreign_required:
            said.append(f"{_names(self.foreign_required)} was added, which must not be null")
        return "; ".join(said)

    @property
    def remedy(self) -> str:
        """What to do about it, a sentence; "" where nothing needs doing."""
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
        """The table, every column that differs, and what it takes, in sentences."""
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
        """Of each column that both have and that takes a migration, what differs and nothing else."""
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

    fields: the table's, as Delta's schema JSON has them. recorded: names of columns that commits of ours have recorded.
    key: the columns whose values were unique in the rows that are there, where that is known.
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
    """Of a removed column and a new one of its type; also of any two names that differ by upper and lower case only."""
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
    """The table's fields, grown by those of a contract: in the table's order, what is new at the end.

    Both as Delta's schema JSON has them. Only what needs no rows is taken over: new nullable fields, comments, and that
    a field may be null. Metadata besides the comment stays. Raises ValueError where it takes more.
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

"""What is known about rows that other code, contracts or settings made: whether today's would make the same rows.

The knowledge comes from three sources: what the warehouse records, the lines of the project's file of equal code parts
(``Project.same_rows``), and what the project knows about its past. Locations that are no longer configured are looked
up in the table of locations: in its present rows, and in those that commits carry because they replaced them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import DeclarationError, WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.source import Source
from orchestration.core.state.changed_parameters import CODE_OR_PARAMETERS, why_behind
from orchestration.core.state.equivalence import Equivalences, Growth, Lines, parts
from orchestration.core.state.provenance import PartitionRecord, Question, Shape
from orchestration.core.state.shapes import absent, hashed_columns, lacking, shape_of
from orchestration.core.state.table_state import TableState
from orchestration.core.state.versions import Equal
from orchestration.engine.changes.past import NoPast, Past
from orchestration.engine.code.code_version import CodeVersions
from orchestration.engine.project import Project
from orchestration.engine.source_kinds import SourceKinds
from resources.settings.yaml_text import read_yaml
from resources.storage.parameter_values import ParameterValues

if TYPE_CHECKING:
    from resources.delta.warehouse import Warehouse


def read_lines(path: Path) -> dict[str, Lines]:
    """Asset → which code parts make the same rows, and which grew. Raises DeclarationError that names the line's
    asset.
    """
    try:
        data = read_yaml(path.read_text(encoding="utf-8")) or {}
        return {str(asset): _lines(entries) for asset, entries in data.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeclarationError(
            f"{path} cannot be read ({error})",
            'Write each line below its asset, as {same: ["1", "2:…"], why: …}, or, where nullable columns were added, '
            'as {earlier: ["1", "2:…"], grown: "2:…", reads_more: [parameter], why: …}.',
        ) from error


def _lines(entries: Any) -> Lines:
    same = tuple(_texts(entry["same"]) for entry in entries if "grown" not in entry)
    growths = (entry for entry in entries if "grown" in entry)
    return Lines(same, tuple(_growth(entry) for entry in growths))


def _growth(entry: Any) -> Growth:
    earlier, (grown,) = _texts(entry["earlier"]), _texts([entry["grown"]])
    if grown in earlier:
        raise TypeError(f"{grown!r} is said to have grown from itself")
    return Growth(earlier, grown, tuple(sorted(_texts(entry.get("reads_more", [])))))


def _texts(items: Any) -> frozenset[str]:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TypeError(f"{items!r} is no list of texts in quotes")
    return frozenset(items)


class WarehouseHistory:
    """The ``freshness.History`` of a warehouse.

    contracts: by asset key. past: makes what the project knows about old records; called when it is first needed.
    """

    def __init__(
        self,
        project: Project,
        locations: Sequence[Location],
        contracts: Mapping[str, Contract],
        codes: CodeVersions,
        sources: Mapping[str, Source[Any]],
        warehouse: Warehouse,
        past: Callable[[], Past] = NoPast,
        mixed_sources: bool = False,
    ) -> None:
        self._project = project
        self._catalog = project.catalog
        self._contracts = contracts
        self._codes = codes
        self._sources = sources
        self._warehouse = warehouse
        self.source_kinds = SourceKinds(
            lambda key: self._state(self._catalog[key]),
            warehouse.uri,
            mixed=mixed_sources,
            downstream_of=self._catalog.dag.downstream,
        )
        self._make_past = past
        self._configured = tuple(locations)
        self._locations = {location.key: location for location in locations}
        self._todays_shapes: dict[str, Shape] = {}
        self._old_shapes: dict[str, dict[str, Shape]] = {}
        self._todays_questions: dict[tuple[str, str | None], tuple[Question, str] | None] = {}
        self._found_outdated: dict[tuple[str, str, str], str] = {}
        self._found_behind: dict[tuple[str, str | None, str], str] = {}
        self._values = ParameterValues(warehouse.uri)
        self._locations_in: dict[str, tuple[Location, ...]] = {}
        lines = {} if project.same_rows is None else read_lines(project.same_rows)
        self._equivalences = Equivalences(lines, self._explain, self._settings_without)

    @cached_property
    def _past(self) -> Past:
        return self._make_past()

    # freshness.History --------------------------------------------------------------------------------------------

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether the code version ``recorded`` makes the same rows as today's code and settings."""
        now = self._codes.of(asset, location)
        if asset.source is None:
            return self._equivalences.same(asset.key, location, recorded, now, own.equal)
        alike = (Equal(asset.key, location, *pair) for pair in self._past.alike(asset, location, recorded, own))
        return self._equivalences.same(asset.key, location, recorded, now, [*own.equal, *alike])

    def why_behind(self, asset: Asset, location: str | None, recorded: str) -> str:
        """What changed since the code version ``recorded``: code, or which parameters, from what to what."""
        asked = (asset.key, location, recorded)
        if asked not in self._found_behind:
            self._found_behind[asked] = self._why_behind(asset, location, recorded)
        return self._found_behind[asked]

    def _why_behind(self, asset: Asset, location: str | None, recorded: str) -> str:
        then, now = parts(recorded), parts(self._codes.of(asset, location))
        if then is None or now is None:
            return CODE_OR_PARAMETERS
        same_code = self._equivalences.same(asset.key, location, f"{then[0]}:{now[1]}", f"{now[0]}:{now[1]}")
        return why_behind(
            same_code=same_code,
            same_settings=then[1] == now[1],
            then=self._values.by_digest.get(then[1]),
            now=self._codes.settings(asset, location),
        )

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """The columns that rows made under the contract ``recorded`` lack; None where it differs in more than added
        columns."""
        contract = self._contracts[asset]
        if recorded == contract.digest:
            return ()
        shape = self.shapes(asset, own).get(recorded)
        return None if shape is None else lacking(contract, shape)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        """The columns that rows made under the contract ``recorded`` do not have, whatever else differs."""
        shape = self.shapes(asset, own).get(recorded)
        return () if shape is None else absent(self._contracts[asset], shape)

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        """Why the source would be asked another question today; empty where it would not, or where that is not
        known.
        """
        today = self._question_today(asset, key.location)
        if today is None or (record.question and record.question == today[1]):
            return ""
        try:
            then = self.question_of(asset, key, record, own)
        except WarehouseError as error:  # the table's trouble: told of its partitions, and of no other's
            return in_a_line(error)
        if then is None:
            return ""
        source, location = self._sources[str(asset.source)], str(key.location)
        if not record.question:
            return source.difference(location, then, today[0])
        at = (asset.key, location, record.question)
        if at not in self._found_outdated:
            self._found_outdated[at] = source.difference(location, then, today[0])
        return self._found_outdated[at]

    # Versions -----------------------------------------------------------------------------------------------------

    def explained_as(self, asset: Asset, location: str | None, version: str) -> str | None:
        """``1:<settings part>`` for a code version of scheme 1 whose settings are known; else None."""
        return self._past.explained(asset, location, version)

    def parameters_then(self, asset: Asset, own: TableState) -> Sequence[Any]:
        """Other parameters than today's by which existing rows may have been made; with today's locations."""
        return self._past.parameters_then(asset, own)

    def retold(self, asset: Asset) -> tuple[str, ...]:
        """The columns whose values have another meaning today, in rows that count as equal."""
        return self._past.retold(asset)

    def _explain(self, asset: str, location: str | None, version: str) -> str | None:
        return self.explained_as(self._catalog[asset], location, version)

    def _settings_without(self, asset: str, location: str | None, parameters: Collection[str]) -> str:
        return self._codes.settings_part(self._catalog[asset], location, without=parameters)

    # Questions ----------------------------------------------------------------------------------------------------

    def question(self, asset: Asset, location: str | None) -> Question | None:
        """What the source of an asset is asked for today at a location; None where it is not asked."""
        today = self._question_today(asset, location)
        return None if today is None else today[0]

    def _question_today(self, asset: Asset, location: str | None) -> tuple[Question, str] | None:
        """The question of today with its id."""
        at = (asset.key, location)
        if at not in self._todays_questions:
            configured = self._locations.get(str(location))
            if asset.source is None or configured is None:
                self._todays_questions[at] = None
            else:
                question = self._sources[asset.source].question(configured)
                self._todays_questions[at] = (question, question.id)
        return self._todays_questions[at]

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for when a partition was fetched. For records of format 1: what the project
        knows.
        """
        if record.question:
            return own.questions.get(record.question)
        return self._past.question(asset, key, record, own)

    def questions_of(self, asset: Asset, keys: Iterable[PartitionKey], own: TableState) -> list[Question]:
        """What the source was asked for when partitions were fetched that are recorded, each once."""
        if asset.source is None:
            return []
        found: set[Question | None] = set()
        records = own.records
        at = records.index(PartitionSet.from_keys(keys))
        kinds = records.kind[at]
        for number in set(kinds.tolist()):
            of_kind = at[kinds == number]
            some = of_kind[:1] if records.columns.kinds[number].question else of_kind  # else it hangs on the partition
            found |= {self.question_of(asset, records.key(one), records.record(one), own) for one in some.tolist()}
        return sorted((question for question in found if question is not None), key=lambda question: question.id)

    # Locations ----------------------------------------------------------------------------------------------------

    def is_of_locations(self, asset: Asset) -> bool:
        """Whether an asset is the table of the configured locations."""
        table = self._project.locations
        return table is not None and table.asset == asset.key

    def locations_of(self, key: str) -> list[Location]:
        """All known forms of a location: as configured, as in the table of locations, and earlier ones."""
        found = [self._locations[key]] if key in self._locations else []
        return found + [location for location in self.past_locations if location.key == key and location not in found]

    @cached_property
    def past_locations(self) -> tuple[Location, ...]:
        """The locations in the table of locations: its present rows and its earlier ones."""
        found: dict[Location, None] = {}
        for asset in self._catalog:
            if self.is_of_locations(asset):
                found |= dict.fromkeys(self.locations_in(asset))
                found |= dict.fromkeys(location_of(dict(item)) for item in self._state(asset).past)
        return tuple(found)

    def locations_in(self, asset: Asset) -> tuple[Location, ...]:
        """The rows of the table of locations, in their order; read once. Empty for any other asset."""
        table = self._project.locations
        if table is None or not self.is_of_locations(asset):
            return ()
        if asset.key not in self._locations_in:
            state = self._state(asset)
            try:
                rows = [] if state.version is None else self._warehouse.read_arrow(asset.key, state.version).to_pylist()
                found = tuple(table.location(row) for row in rows)
            except (KeyError, WarehouseError):  # somebody made another table of it; its own trouble is told elsewhere
                found = ()
            self._locations_in[asset.key] = found
        return self._locations_in[asset.key]

    def kinds(self, asset: Asset, own: TableState) -> tuple[str, ...]:
        """The kinds of source that a commit has to record. Raises SourceOfOtherKind."""
        return self.source_kinds.to_say(asset, own)

    def meet(self, asset: str, kinds: Iterable[str]) -> None:
        """Answers of these kinds arrived for a table. Raises SourceOfOtherKind if the table does not take them."""
        self.source_kinds.meet(asset, kinds)

    def past(self, asset: Asset, *, wiped: bool = False) -> tuple[Mapping[str, Any], ...]:
        """The rows of the table of locations that a commit has to carry because it replaces them. wiped: whether no new
        rows replace them."""
        if not self.is_of_locations(asset):
            return ()
        now = set() if wiped else set(self._configured)
        kept = {location_of(dict(item)) for item in self._state(asset).past}
        return tuple(asdict(location) for location in self.past_locations if location not in now | kept)

    def _state(self, asset: Asset) -> TableState:
        """The state of a table, as far as it can be read."""
        return self._warehouse.states([asset]).get(asset.key, TableState())

    # Contracts ----------------------------------------------------------------------------------------------------

    def shapes(self, asset: str, own: TableState) -> dict[str, Shape]:
        """The shapes of all contracts under which rows of an asset were made, by digest: the recorded ones, and that of
        the past."""
        return {**self._shape_of_past(asset), **own.shapes, self._contracts[asset].digest: self._shape(asset)}

    def earlier_shapes(self, asset: str, own: TableState) -> list[Shape]:
        """The shapes that were recorded. That of the past comes first, unless it is known that no rows have it."""
        return [*self._shape_of_past(asset).values(), *own.shapes.values()]

    def earlier(self, asset: str, own: TableState) -> dict[str, tuple[str, ...]]:
        """Digest of an earlier contract → the columns over which rows need a further fingerprint."""
        contract = self._contracts[asset]
        today = hashed_columns(self._shape(asset), contract)
        found = {digest: hashed_columns(shape, contract) for digest, shape in self.shapes(asset, own).items()}
        return {digest: of for digest, of in found.items() if of is not None and of != today}

    def _shape(self, asset: str) -> Shape:
        if asset not in self._todays_shapes:
            self._todays_shapes[asset] = shape_of(self._contracts[asset])
        return self._todays_shapes[asset]

    def _shape_of_past(self, asset: str) -> dict[str, Shape]:
        if asset not in self._old_shapes:
            then = self._past.contract(asset)
            self._old_shapes[asset] = {} if then is None else {then.digest: shape_of(then)}
        return self._old_shapes[asset]


def location_of(values: Mapping[str, Any]) -> Location:
    """A location as a commit recorded it. Fields that were introduced later are empty; fields that no longer exist are
    left out."""
    empty: dict[str, Any] = {"name": "", "latitude": 0.0, "longitude": 0.0, "timezone": ""}
    known = {field.name for field in fields(Location)}
    return Location(**{**empty, **{name: value for name, value in values.items() if name in known}})

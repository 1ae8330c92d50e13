"""What is known of rows that other code, contracts or settings made: whether today's would make the same.

It brings together what a warehouse records, the lines of ``assets/same_rows.yml``, and what is kept of commit d35dc26.
That commit recorded versions (scheme 1) which hang on names and time zones of locations too: these are looked up in
``gold.dim_location``, its rows of today and those that commits carry that replaced them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.partitions.location import Location
from orchestration.core.state.equivalence import SCHEME_1, Equivalences, parts
from orchestration.core.state.provenance import PartitionRecord, Question, Shape, TableState
from orchestration.core.state.shapes import absent, hashed_columns, lacking, shape_of
from orchestration.engine.code.code_version import CodeVersions
from orchestration.engine.code.scheme1 import Scheme1
from resources.open_meteo.requests import VARIABLES

if TYPE_CHECKING:
    from resources.delta.warehouse import Warehouse

ROUNDING = 1e-9
"""Degrees by which a difference of two decimal fractions may be too large."""
LINES = Path(__file__).resolve().parents[3] / "assets" / "same_rows.yml"


DOMAIN_OF_SCHEME_1 = "cams_global"
"""What ``open_meteo.model_domain`` was unless it was configured."""
VARIABLES_OF_SCHEME_1 = (
    "aerosol_optical_depth",
    "carbon_dioxide",
    "carbon_monoxide",
    "dust",
    "nitrogen_dioxide",
    "ozone",
    "pm10",
    "pm2_5",
    "sulphur_dioxide",
    "us_aqi",
    "us_aqi_carbon_monoxide",
    "us_aqi_nitrogen_dioxide",
    "us_aqi_ozone",
    "us_aqi_pm10",
    "us_aqi_pm2_5",
    "us_aqi_sulphur_dioxide",
    "uv_index",
)
"""What commit d35dc26 asked Open-Meteo for, always all of it."""


@dataclass(frozen=True)
class _Explained:
    """What a version of scheme 1 was made of. location: None where it hangs on no single one."""

    version: str
    location: Location | None
    domain: str


def read_lines(path: Path = LINES) -> dict[str, list[frozenset[str]]]:
    """Per asset, groups of code parts that make the same rows. Raises DeclarationError naming the place."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(asset): [_group(line["same"]) for line in lines] for asset, lines in data.items()}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DeclarationError(
            f"{path} cannot be read ({error})", 'Write each line as {same: ["1", "2:…"], why: …} below its asset.'
        ) from error


def _group(codes: Any) -> frozenset[str]:
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise TypeError(f"{codes!r} is no list of code parts in quotes")
    return frozenset(codes)


class WarehouseHistory:
    """See ``freshness.History``, which this is for a warehouse."""

    def __init__(
        self,
        catalog: Catalog,
        contracts: Mapping[str, Contract],
        parameters: Parameters,
        codes: CodeVersions,
        warehouse: Warehouse,
        same_place_degrees: float,
    ) -> None:
        self._catalog = catalog
        self._contracts = contracts
        self._parameters = parameters
        self._codes = codes
        self._warehouse = warehouse
        self._same_place_degrees = same_place_degrees
        self._places = {place.key: place for place in parameters.locations}
        self._known: dict[tuple[str, str | None], dict[str, _Explained]] = {}
        self._todays_shapes: dict[str, Shape] = {}
        self._old_shapes: dict[str, dict[str, Shape]] = {}
        self._todays_questions: dict[tuple[str, str | None], tuple[Question, str] | None] = {}
        self._found_outdated: dict[tuple[str, str, str], str] = {}
        self._asked: dict[tuple[str, str | None, str], Question] = {}
        self._locations_in: dict[str, tuple[Location, ...]] = {}
        self._rows_say: dict[str, dict[PartitionKey, tuple[float, float, str]]] = {}
        self._equivalences = Equivalences(read_lines(), self._explain)

    # freshness.History --------------------------------------------------------------------------------------------

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        """Whether what ``recorded`` made is what today's code and settings would make."""
        now = self._codes.of(asset, location)
        return self._equivalences.same(asset.key, location, recorded, now, own.equal)

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        """The columns that rows of the contract ``recorded`` lack; None where it was another."""
        contract = self._contracts[asset]
        if recorded == contract.digest:
            return ()
        shape = self.shapes(asset, own).get(recorded)
        return None if shape is None else lacking(contract, shape)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        """The columns that rows of the contract ``recorded`` do not have, whatever else it demanded."""
        shape = self.shapes(asset, own).get(recorded)
        return () if shape is None else absent(self._contracts[asset], shape)

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        """Why the source would be asked for something else today; empty where it would not, or nobody knows."""
        today = self._question_today(asset, key.location)
        if today is None or (record.question and record.question == today[1]):
            return ""
        then = self.question_of(asset, key, record, own)
        if then is None:
            return ""
        if not record.question:
            return self._differs(str(key.location), then, today[0])
        at = (asset.key, str(key.location), record.question)
        if at not in self._found_outdated:
            self._found_outdated[at] = self._differs(str(key.location), then, today[0])
        return self._found_outdated[at]

    # Questions ----------------------------------------------------------------------------------------------------

    def question(self, asset: Asset, location: str | None) -> Question | None:
        """What the source of an asset is asked for today at a location; None where it is not asked."""
        today = self._question_today(asset, location)
        return None if today is None else today[0]

    def _question_today(self, asset: Asset, location: str | None) -> tuple[Question, str] | None:
        """The question of today with its id."""
        at = (asset.key, location)
        if at not in self._todays_questions:
            place = self._places.get(str(location))
            if asset.source is None or place is None:
                self._todays_questions[at] = None
            else:
                domain, variables = self._parameters.model_domain, tuple(sorted(VARIABLES))
                question = self._question(asset, place, domain, variables)
                self._todays_questions[at] = (question, question.id)
        return self._todays_questions[at]

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for when a partition was fetched.

        Format 1 did not record it: there it is what its version was made of, or else what its rows say.
        """
        if record.question:
            return own.questions.get(record.question)
        at = (asset.key, key.location, record.code)
        if at in self._asked:
            return self._asked[at]
        then = self._explained(asset, key.location, record.code)
        if then is not None and then.location is not None:
            self._asked[at] = self._question(asset, then.location, then.domain, VARIABLES_OF_SCHEME_1)
            return self._asked[at]
        said = self._said_by_rows(asset, own).get(key)
        if said is None:
            return None
        latitude, longitude, domain = said
        return Question(str(asset.source), domain, VARIABLES_OF_SCHEME_1, latitude, longitude)

    def questions_of(self, asset: Asset, keys: Iterable[PartitionKey], own: TableState) -> list[Question]:
        """What the source was asked for when partitions were fetched that are recorded, each once."""
        if asset.source is None:
            return []
        found = {self.question_of(asset, key, own.records[key], own) for key in keys}
        return sorted((question for question in found if question is not None), key=lambda question: question.id)

    def _question(self, asset: Asset, place: Location, domain: str, variables: tuple[str, ...]) -> Question:
        return Question(str(asset.source), domain, variables, place.latitude, place.longitude)

    def _differs(self, location: str, then: Question, now: Question) -> str:
        if then.domain != now.domain:
            return f"{location} was asked for with the domain {then.domain}, configured is {now.domain}"
        if distance(then, now) > self._same_place_degrees + ROUNDING:
            return (
                f"{location} was asked for at {then.latitude}, {then.longitude}; "
                f"configured are {now.latitude}, {now.longitude}"
            )
        never = sorted(set(now.variables) - set(then.variables))
        return f"{', '.join(never)} was never asked for at {location}" if never else ""

    def _said_by_rows(self, asset: Asset, own: TableState) -> dict[PartitionKey, tuple[float, float, str]]:
        """What rows of a fetched asset say that was asked: read once, and only if nothing else tells."""
        if asset.key not in self._rows_say:
            found: dict[PartitionKey, tuple[float, float, str]] = {}
            columns, said = asset.partitions, ("latitude", "longitude", "model_domain")
            names = {column.name for column in self._contracts[asset.key].columns}
            if columns is not None and own.version is not None and names.issuperset(said):
                wanted = [columns.day_column, columns.location_column, *said]
                rows = self._warehouse.read_arrow(asset.key, own.version, columns=wanted)
                for row in rows.group_by(wanted).aggregate([]).to_pylist():
                    key = PartitionKey(row[columns.day_column], row[columns.location_column])
                    found[key] = (row["latitude"], row["longitude"], row["model_domain"])
            self._rows_say[asset.key] = found
        return self._rows_say[asset.key]

    # Versions of scheme 1 -----------------------------------------------------------------------------------------

    @cached_property
    def scheme1(self) -> Scheme1:
        return Scheme1.load()

    @cached_property
    def _of_scheme1(self) -> frozenset[str]:
        return frozenset(asset.key for asset in self._catalog if self.scheme1.shape(asset.key) is not None)

    def explained_as(self, asset: Asset, location: str | None, version: str) -> str | None:
        """``1:<settings>`` for a version of scheme 1 of which it is known what it was made of."""
        found = self._explained(asset, location, version)
        return None if found is None else found.version

    def _explain(self, asset: str, location: str | None, version: str) -> str | None:
        return self.explained_as(self._catalog[asset], location, version)

    def _explained(self, asset: Asset, location: str | None, version: str) -> _Explained | None:
        if parts(version) is not None or asset.key not in self._of_scheme1:
            return None
        by_place = asset.partitions is not None and "locations" in asset.parameters
        at = (asset.key, location if by_place else None)
        if at not in self._known:
            self._known[at] = dict(self._versions(asset, location, by_place=by_place))
        return self._known[at].get(version)

    def _versions(self, asset: Asset, location: str | None, *, by_place: bool) -> Iterator[tuple[str, _Explained]]:
        """The versions of scheme 1 that an asset can have been made by, with what they were made of."""
        lists: list[tuple[Location, ...]]
        if by_place:
            lists = [(place,) for place in self.places_of(str(location))]
        else:
            lists = [self._parameters.locations, *([self.locations_in(asset)] if is_of_locations(asset) else [])]
        domains = [self._parameters.model_domain]
        domains += [DOMAIN_OF_SCHEME_1] if "model_domain" in asset.parameters else []
        for domain in dict.fromkeys(domains):
            parameters = replace(self._parameters, model_domain=domain)
            codes = self._codes.with_parameters(parameters)
            for places in lists:
                version = self.scheme1.version(asset.key, parameters, location, locations=places)
                if version is not None:
                    at = location if by_place else None
                    settings = codes.with_locations(places).settings_part(asset, at)
                    place = places[0] if by_place else None
                    yield version, _Explained(f"{SCHEME_1}:{settings}", place, domain)

    def places_of(self, key: str) -> list[Location]:
        """What a location is and was: configured, in the dimension, and before that."""
        found = [self._places[key]] if key in self._places else []
        return found + [place for place in self.past_places if place.key == key and place not in found]

    @cached_property
    def past_places(self) -> tuple[Location, ...]:
        """The locations of the tables of locations, as their rows have them and once had them."""
        found: dict[Location, None] = {}
        for asset in self._catalog:
            if is_of_locations(asset):
                found |= dict.fromkeys(self.locations_in(asset))
                found |= dict.fromkeys(location_of(dict(item)) for item in self._warehouse.state(asset).past)
        return tuple(found)

    def locations_in(self, asset: Asset) -> tuple[Location, ...]:
        """The rows of a table of locations, in their order; read once."""
        if asset.key not in self._locations_in:
            state = self._warehouse.state(asset)
            rows = [] if state.version is None else self._warehouse.read_arrow(asset.key, state.version).to_pylist()
            names = {"key": "location_key", "name": "location_name"}
            fields = ("key", "name", "latitude", "longitude", "timezone")
            try:
                found = tuple(Location(**{name: row[names.get(name, name)] for name in fields}) for row in rows)
            except KeyError:  # somebody made another table of it
                found = ()
            self._locations_in[asset.key] = found
        return self._locations_in[asset.key]

    def past(self, asset: Asset, *, wiped: bool = False) -> tuple[Mapping[str, Any], ...]:
        """What a commit that replaces the rows of ``asset`` has to carry, so that they are not forgotten.

        wiped: no row of today comes in their place.
        """
        if not is_of_locations(asset):
            return ()
        now = set() if wiped else set(self._parameters.locations)
        kept = {location_of(dict(item)) for item in self._warehouse.state(asset).past}
        return tuple(asdict(place) for place in self.past_places if place not in now | kept)

    # Contracts ----------------------------------------------------------------------------------------------------

    def shapes(self, asset: str, own: TableState) -> dict[str, Shape]:
        """The shapes that rows of an asset can have, by digest of the contract: recorded, and that of d35dc26."""
        return {**self._shape_of_scheme1(asset), **own.shapes, self._contracts[asset].digest: self._shape(asset)}

    def earlier_shapes(self, asset: str, own: TableState) -> list[Shape]:
        """The shapes that rows were recorded in, the one of d35dc26 first if it is not known that there are none."""
        return [*self._shape_of_scheme1(asset).values(), *own.shapes.values()]

    def earlier(self, asset: str, own: TableState) -> dict[str, tuple[str, ...]]:
        """The columns over which rows need a fingerprint beside that of today's contract, by the digest of then."""
        contract = self._contracts[asset]
        today = hashed_columns(self._shape(asset), contract)
        found = {digest: hashed_columns(shape, contract) for digest, shape in self.shapes(asset, own).items()}
        return {digest: of for digest, of in found.items() if of is not None and of != today}

    def _shape(self, asset: str) -> Shape:
        if asset not in self._todays_shapes:
            self._todays_shapes[asset] = shape_of(self._contracts[asset])
        return self._todays_shapes[asset]

    def _shape_of_scheme1(self, asset: str) -> dict[str, Shape]:
        if asset not in self._old_shapes:
            self._old_shapes[asset] = self._made_shape_of_scheme1(asset)
        return self._old_shapes[asset]

    def _made_shape_of_scheme1(self, asset: str) -> dict[str, Shape]:
        """Of the columns and key of then, with the row rules that today's contract has for these columns."""
        then = self.scheme1.shape(asset)
        if then is None:
            return {}
        columns, key = then
        names = {name for name, _, _ in columns}
        today = self._contracts[asset]
        contract = Contract(
            today.name,
            "",
            tuple(Column(name, kind, nullable, "", "") for name, kind, nullable in columns),
            key,
            tuple(rule for rule in today.rules if rule.column in names),
        )
        return {contract.digest: shape_of(contract)}


def location_of(values: Mapping[str, Any]) -> Location:
    """A location as a commit kept it: what it did not have yet is empty, what none has any more is passed over."""
    empty: dict[str, Any] = {"name": "", "latitude": 0.0, "longitude": 0.0, "timezone": ""}
    known = {field.name for field in fields(Location)}
    return Location(**{**empty, **{name: value for name, value in values.items() if name in known}})


def is_of_locations(asset: Asset) -> bool:
    """Whether an asset is a table of the configured locations."""
    return asset.partitions is None and asset.parameters == ("locations",)


def distance(one: Question, other: Question) -> float:
    """How far two questions lie apart, the greater of both differences in degrees; 0 where one has no place."""
    if None in (one.latitude, one.longitude, other.latitude, other.longitude):
        return 0.0
    assert one.latitude is not None and other.latitude is not None
    assert one.longitude is not None and other.longitude is not None
    east = abs(one.longitude - other.longitude) % 360
    return max(abs(one.latitude - other.latitude), min(east, 360 - east))

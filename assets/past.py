"""What is known about rows that commit d35dc26 made. Its records said less: code versions of scheme 1, and no
questions.

Versions of scheme 1 depend on names and time zones of locations too. These are looked up in ``gold.dim_location``: in
its present rows, and in those that commits carry because they replaced them. Where a source was asked for, the version
shows, or else the rows.

It also knows about rows from before ``domains`` was sent to the provider. Whatever their column ``model_domain`` says,
the provider chose the domain. So such rows are as good as today's if the provider's choice is asked for; the column
changes when the partition is next written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from assets.parameters import AUTO, Parameters
from assets.scheme1 import Scheme1
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.partitions.location import Location
from orchestration.core.state.equivalence import SCHEME_1, parts
from orchestration.core.state.provenance import PartitionRecord, Question
from orchestration.core.state.table_state import TableState

NEVER_SENT = ("cams_global", "cams_europe")
"""Values of ``open_meteo.model_domain`` from before it was sent: the first was the default, the second its likely
replacement."""
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
"""The variables for which commit d35dc26 asked Open-Meteo, always all of them."""


class Codes(Protocol):
    """Today's code versions, from the engine."""

    def with_locations(self, locations: tuple[Location, ...]) -> Codes: ...

    def with_parameters(self, parameters: Any) -> Codes: ...

    def of(self, asset: Asset, location: str | None) -> str: ...

    def settings_part(self, asset: Asset, location: str | None, without: Collection[str] = ()) -> str: ...


@dataclass(frozen=True)
class _Explained:
    """From what a version of scheme 1 was made. location: None where it depends on no single location."""

    version: str
    location: Location | None


class BeforeRecords:
    """Answers what records of commit d35dc26 do not say.

    assets, contracts: today's, by key. codes: today's code versions. locations_of: all known forms of a location.
    locations_in: the rows of a table of locations; empty for any other asset. rows: reads columns of an asset's table
    at a version, as an Arrow table.
    """

    def __init__(
        self,
        assets: Mapping[str, Asset],
        contracts: Mapping[str, Contract],
        parameters: Parameters,
        codes: Codes,
        locations_of: Callable[[str], list[Location]],
        locations_in: Callable[[Asset], tuple[Location, ...]],
        rows: Callable[[str, int, Sequence[str]], Any],
    ) -> None:
        self._assets, self._contracts, self._parameters, self._codes = assets, contracts, parameters, codes
        self._locations_of, self._locations_in, self._rows = locations_of, locations_in, rows
        self._known: dict[tuple[str, str | None], dict[str, _Explained]] = {}
        self._asked: dict[tuple[str, str | None, str], Question] = {}
        self._codes_for: dict[str, Codes] = {}
        self._rows_say: dict[str, dict[PartitionKey, tuple[float, float, str]] | str] = {}

    @cached_property
    def scheme1(self) -> Scheme1:
        return Scheme1.load()

    @cached_property
    def _of_scheme1(self) -> frozenset[str]:
        return frozenset(key for key in self._assets if self.scheme1.shape(key) is not None)

    # engine.changes.past.Past -------------------------------------------------------------------------------------

    def explained(self, asset: Asset, location: str | None, version: str) -> str | None:
        """``1:<settings part>`` for a version of scheme 1 whose settings are known; else None."""
        found = self._explained(asset, location, version)
        return None if found is None else found.version

    def question(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for: by the code version, or else by the rows.

        Raises WarehouseError where only the rows could say it and they cannot be read.
        """
        at = (asset.key, key.location, record.code)
        if at in self._asked:
            return self._asked[at]
        then = self._explained(asset, key.location, record.code)
        if then is not None and then.location is not None:
            at_then = then.location
            self._asked[at] = self._question(asset, at_then.latitude, at_then.longitude)
            return self._asked[at]
        said = self._said_by_rows(asset, own).get(key)
        if said is None:
            return None
        latitude, longitude, _ = said
        return self._question(asset, latitude, longitude)

    def alike(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> Iterator[tuple[str, str]]:
        """Today's version, paired with what it was while the column named a domain that was never sent. Empty where a
        domain is sent now: then all those rows answer another question."""
        if not self.retold(asset):
            return
        now = self._codes.of(asset, location)
        for parameters in self.parameters_then(asset, own):
            yield self._codes_of(parameters.model_domain).of(asset, location), now
        if parts(recorded) is None and self._explained(asset, location, recorded) is None:
            yield from ((version, now) for version in self._versions_by_rows(asset, location, own))

    def parameters_then(self, asset: Asset, own: TableState) -> list[Parameters]:
        """Today's parameters, with each domain that rows can name."""
        if "model_domain" not in asset.parameters:
            return []
        domains = {AUTO, *NEVER_SENT, *(question.domain for question in own.questions.values())}
        domains.discard(self._parameters.model_domain)
        return [replace(self._parameters, model_domain=domain) for domain in sorted(domains)]

    def retold(self, asset: Asset) -> tuple[str, ...]:
        """The column of the domain, where no domain is sent."""
        is_told = "model_domain" in asset.parameters and self._parameters.model_domain == AUTO
        return ("model_domain",) if is_told else ()

    def contract(self, asset: str) -> Contract | None:
        """The contract of that time: its columns and key, with those row rules of today's contract that are about these
        columns."""
        then = self.scheme1.shape(asset)
        if then is None:
            return None
        columns, key = then
        names = {name for name, _, _ in columns}
        today = self._contracts[asset]
        return Contract(
            today.name,
            "",
            tuple(Column(name, kind, nullable, "", "") for name, kind, nullable in columns),
            key,
            tuple(rule for rule in today.rules if rule.column in names),
        )

    # --------------------------------------------------------------------------------------------------------------

    def _question(self, asset: Asset, latitude: float, longitude: float) -> Question:
        return Question(str(asset.source), AUTO, VARIABLES_OF_SCHEME_1, latitude, longitude)

    def _said_by_rows(self, asset: Asset, own: TableState) -> dict[PartitionKey, tuple[float, float, str]]:
        """What was asked, by the rows of a fetched asset. The rows are read once, and only if nothing else says it."""
        if asset.key not in self._rows_say:
            try:
                self._rows_say[asset.key] = self._read_rows(asset, own)
            except (OSError, ValueError, WarehouseError) as error:  # a file is gone, or is none
                self._rows_say[asset.key] = (str(error) or repr(error)).splitlines()[0]
        said = self._rows_say[asset.key]
        if isinstance(said, str):
            raise WarehouseError(
                f"what its source was asked is not known: rows of {asset.key} cannot be read ({said})",
                "Restore the file from a copy.",
            )
        return said

    def _read_rows(self, asset: Asset, own: TableState) -> dict[PartitionKey, tuple[float, float, str]]:
        found: dict[PartitionKey, tuple[float, float, str]] = {}
        scheme, said = asset.partitions, ("latitude", "longitude", "model_domain")
        names = {column.name for column in self._contracts[asset.key].columns}
        if scheme is not None and own.version is not None and names.issuperset(said):
            columns = scheme.columns
            wanted = [columns.day, columns.location, *said]
            rows = self._rows(asset.key, own.version, wanted)
            for row in rows.group_by(wanted).aggregate([]).to_pylist():
                key = PartitionKey(row[columns.day], row[columns.location])
                found[key] = (row["latitude"], row["longitude"], row["model_domain"])
        return found

    def _explained(self, asset: Asset, location: str | None, version: str) -> _Explained | None:
        if parts(version) is not None or asset.key not in self._of_scheme1:
            return None
        by_location = asset.partitions is not None and "locations" in self.scheme1.parameters(asset.key)
        at = (asset.key, location if by_location else None)
        if at not in self._known:
            self._known[at] = dict(self._versions(asset, location, by_location=by_location))
        return self._known[at].get(version)

    def _versions(self, asset: Asset, location: str | None, *, by_location: bool) -> Iterator[tuple[str, _Explained]]:
        """The versions of scheme 1 that can have made an asset's rows, with their settings."""
        lists: list[tuple[Location, ...]]
        if by_location:
            lists = [(one,) for one in self._locations_of(str(location))]
        else:
            rows = self._locations_in(asset)
            lists = [self._parameters.locations, *([rows] if rows else [])]
        younger = frozenset(asset.parameters) - self.scheme1.parameters(asset.key)
        domains = [self._parameters.model_domain]
        domains += NEVER_SENT if "model_domain" in asset.parameters else []
        for domain in dict.fromkeys(domains):
            parameters, codes = replace(self._parameters, model_domain=domain), self._codes_of(domain)
            for together in lists:
                version = self.scheme1.version(asset.key, parameters, location, locations=together)
                if version is not None:
                    at = location if by_location else None
                    settings = codes.with_locations(together).settings_part(asset, at, without=younger)
                    asked = together[0] if by_location else None
                    yield version, _Explained(f"{SCHEME_1}:{settings}", asked)

    def _versions_by_rows(self, asset: Asset, location: str | None, own: TableState) -> Iterator[str]:
        """The versions of scheme 1 at today's coordinates, with each domain that the rows name."""
        try:
            said = {domain for _, _, domain in self._said_by_rows(asset, own).values()}
        except WarehouseError:  # told of their questions
            return
        at = {(one.latitude, one.longitude) for one in self._parameters.locations if one.key == location}
        asked = [one for one in self._locations_of(str(location)) if (one.latitude, one.longitude) in at]
        for domain in sorted(said.difference(NEVER_SENT)):
            parameters = replace(self._parameters, model_domain=domain)
            for one in asked:
                version = self.scheme1.version(asset.key, parameters, location, locations=[one])
                if version is not None:
                    yield version

    def _codes_of(self, domain: str) -> Codes:
        """Today's code versions for another domain."""
        if domain not in self._codes_for:
            self._codes_for[domain] = self._codes.with_parameters(replace(self._parameters, model_domain=domain))
        return self._codes_for[domain]

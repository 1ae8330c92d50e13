"""The composition root: the one file that names this project's assets, parameters and sources.

A second project would have a file like this one, and nothing else of ``orchestration``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

import assets
from assets.parameters import Bounds, Parameters, Pollutant, Rules
from assets.variables import VARIABLES
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.figures import Category, Daily, Figures, Spells
from orchestration.core.declarations.scales import WatchedScale
from orchestration.engine.contracts import DeclaredContracts
from orchestration.engine.project import LocationTable, Project
from resources.machine.clock import Clock
from resources.open_meteo.index_scale import SCALES
from resources.open_meteo.settings import OpenMeteoSettings
from resources.settings.load import Settings, check_distinct

if TYPE_CHECKING:
    from orchestration.engine.changes.past import Past
    from orchestration.engine.workspace import Workspace
    from resources.open_meteo.source import OpenMeteo

ROOT = Path(__file__).resolve().parents[1]
OPEN_METEO = "open_meteo"
ROW_RULES_OF = "silver.air_quality_hourly_clean"
"""Its row rules are the parameter ``row_rules``."""


class AirSettings(Settings):
    """The settings of this project."""

    open_meteo: OpenMeteoSettings = OpenMeteoSettings()
    pollutants: list[Pollutant] = Field(min_length=1)
    rules: Rules = Rules()

    @model_validator(mode="after")
    def _distinct_pollutants(self) -> Self:
        check_distinct("pollutants", [pollutant.code for pollutant in self.pollutants])
        return self

    @property
    def parameters(self) -> Parameters:
        """What assets may ask for; without the row rules, which come from the contracts."""
        return Parameters(
            locations=self.configured_locations,
            pollutants=tuple(self.pollutants),
            episode_rule=self.rules.episode,
            limits=self.rules.limits,
            calendar=self.rules.calendar,
            model_domain=self.open_meteo.model_domain,
        )


def _open_meteo(settings: AirSettings) -> OpenMeteo:
    from resources.open_meteo.source import OpenMeteo

    essential = {column for columns in _essential(settings) for column in columns}
    return OpenMeteo(settings.open_meteo, VARIABLES, injected_clock=settings.clock.now is not None, essential=essential)


def _essential(settings: AirSettings) -> Iterator[Sequence[str]]:
    """The essential columns of each asset that is fetched from Open-Meteo."""
    for asset in assets.CATALOG:
        if asset.source == OPEN_METEO and asset.hours is not None:
            yield settings.essential.get(asset.key, asset.hours.essential)


def _models(limits: Mapping[str, Bounds]) -> Mapping[str, Any]:
    from assets.contracts import models

    return models(limits)


def _contracts(settings: AirSettings) -> DeclaredContracts:
    return DeclaredContracts(ROOT / "assets" / "contracts.py", _models, dict(settings.rules.limits))


def _parameters(settings: AirSettings, contracts: Mapping[str, Contract]) -> Parameters:
    return replace(settings.parameters, row_rules=contracts[ROW_RULES_OF].rules)


@contextmanager
def _simulated(now: Clock) -> Iterator[Mapping[str, Any]]:
    from resources.simulator.server import Simulator

    with Simulator(now=now) as simulator:
        yield {"open_meteo": {"base_url": simulator.url}}


def _insights(rows: Callable[[str], list[dict[str, Any]]]) -> list[str]:
    from assets.insights import insights

    return insights(rows)


def _past(workspace: Workspace) -> Past:
    from assets.past import BeforeRecords

    history, warehouse = workspace.history, workspace.warehouse
    parameters: Any = workspace.parameters
    return BeforeRecords(
        {asset.key: asset for asset in workspace.catalog},
        workspace.contracts,
        parameters,
        workspace.code,
        history.locations_of,
        history.locations_in,
        lambda key, version, columns: warehouse.read_arrow(key, version, columns=list(columns)),
    )


def _scales_followed(hours: Mapping[str, Any]) -> Any:
    from resources.open_meteo.scale_watch import scales_followed

    return scales_followed(hours)


PM25_SCALE = WatchedScale(
    "the provider's PM2.5 scale",
    columns=("pm25", "aqi_pm25"),
    names=tuple(scale.title for scale in SCALES.values()),
    meaning=(
        "The same air has another index: indices, their categories and episodes do not compare across that day. "
        "Concentrations do; no day is refused."
    ),
    follows=_scales_followed,
)

FIGURES = Figures(
    "The air",
    Daily(
        "gold.fact_city_daily",
        value="aqi_daily_max",
        title="highest hourly US AQI of the UTC day",
        because=("dominant_pollutant_daily", "dominant pollutant"),
        categories=(
            Category("Good", "G", 0, "#00e400", "hours_in_cat_good"),
            Category("Moderate", "M", 51, "#ffff00", "hours_in_cat_moderate"),
            Category("Unhealthy for sensitive groups", "S", 101, "#ff7e00", "hours_in_cat_usg"),
            Category("Unhealthy", "U", 151, "#ff0000", "hours_in_cat_unhealthy"),
            Category("Very unhealthy", "V", 201, "#8f3f97", "hours_in_cat_very_unhealthy"),
            Category("Hazardous", "H", 301, "#7e0023", "hours_in_cat_hazardous"),
        ),
    ),
    Spells(
        "gold.fact_episode",
        start="start_ts_utc",
        hours="duration_hours",
        peak="peak_aqi",
        because="dominant_pollutant",
        names=("episode", "episodes"),
        open="is_open",
    ),
)
"""Names and colours of the categories: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality."""

PROJECT = Project(
    title="An air-quality lakehouse as an asset graph, on Spark or without it, Delta Lake and Prefect.",
    catalog=assets.CATALOG,
    package="assets",
    settings=AirSettings,
    folder=ROOT / "config",
    files=("locations.yml", "pollutants.yml", "rules.yml", "deployments.yml"),
    sources={OPEN_METEO: _open_meteo},
    contracts=_contracts,
    parameters=_parameters,
    locations=LocationTable("gold.dim_location", {"key": "location_key", "name": "location_name"}),
    same_rows=ROOT / "assets" / "same_rows.yml",
    past=_past,
    simulated=_simulated,
    insights=_insights,
    figures=FIGURES,
    scales={"bronze.open_meteo_hourly": PM25_SCALE},
)


def open_workspace(settings: Settings) -> Workspace:
    """The workspace of settings of this project."""
    from orchestration.engine.workspace import Workspace

    return Workspace.open(PROJECT, settings)


def load(
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> AirSettings:
    """The settings of a profile: a name in config/, or the path of a YAML file. flags: nested values that win.

    Raises ConfigurationError naming file or variable, key and remedy.
    """
    settings: AirSettings = PROJECT.load(profile, environment, flags)
    return settings

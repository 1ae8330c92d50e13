"""The rivers' composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from orchestration.core.declarations.contract import Contract
from orchestration.engine.contracts import DeclaredContracts
from orchestration.engine.project import LocationTable, Project
from resources.settings.load import Settings
from tests.support.river.gauges import Gauges, GaugeSettings
from tests.support.river.parameters import AlarmRule, Gauging, Parameters
from tests.support.river.rain_files import RainFiles, RainSettings
from tests.support.river.tables import CATALOG

FOLDER = Path(__file__).resolve().parent


class RiverSettings(Settings):
    """The rivers' settings."""

    gauges: GaugeSettings = GaugeSettings()
    rain_files: RainSettings = RainSettings()
    alarm: AlarmRule = Field(default_factory=AlarmRule)
    gauging: Gauging = Field(default_factory=Gauging)


def _models(highest: float) -> Mapping[str, Any]:
    from tests.support.river.contracts import models

    return models(highest)


def _contracts(settings: RiverSettings) -> DeclaredContracts:
    return DeclaredContracts(FOLDER / "contracts.py", _models, settings.gauging.highest)


def _parameters(settings: RiverSettings, contracts: Mapping[str, Contract]) -> Parameters:
    made = Parameters(locations=settings.configured_locations, alarm_rule=settings.alarm, gauging=settings.gauging)
    return replace(made, row_rules=contracts["silver.levels"].rules)


PROJECT = Project(
    title="River gauges and the rain at them.",
    catalog=CATALOG,
    package="tests.support.river",
    settings=RiverSettings,
    folder=FOLDER / "config",
    files=("locations.yml", "alarms.yml"),
    sources={
        "gauges": lambda settings: Gauges(settings.gauges),
        "rain_files": lambda settings: RainFiles(settings.rain_files),
    },
    contracts=_contracts,
    parameters=_parameters,
    locations=LocationTable("gold.dim_gauge", {"key": "gauge_id", "name": "gauge_name"}),
)

"""Versions of scheme 1: those that commit d35dc26 wrote into warehouses, or would have written for other settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assets import CATALOG
from assets.parameters import Bounds, EpisodeRule, Parameters
from assets.scheme1 import RULED, Scheme1
from orchestration.core.declarations.contract import RowRule
from orchestration.project import load
from tests.support.contracts import load_contracts

KEPT = Scheme1.load()
DEFAULT = replace(load("local", environment={}).parameters, model_domain="cams_global")
"""As they were unless configured: the domain was named, and never sent."""
HANOI, *OTHERS = DEFAULT.locations
MOVED = (replace(HANOI, name="Hà Nội (centre)", latitude=21.1), *OTHERS)
BRONZE = "bronze.open_meteo_hourly"

RECORDED = [  # in the logs of a warehouse that it made
    (BRONZE, "hanoi", "fc482b6148d23a68"),
    (BRONZE, "hcmc", "4972da9226c99d2e"),
    (BRONZE, "danang", "1560ae0fac81b8c7"),
    ("gold.dim_date", None, "a2d95a4478c68f84"),
    ("gold.dim_time", None, "d6e04b8506fa9e01"),
    ("gold.dim_location", None, "fa3dbda63d73d5db"),
    ("gold.dim_pollutant", None, "c7ece4bf2cf291ec"),
    ("silver.air_quality_hourly_clean", "hanoi", "794d4731115b8b67"),
    ("silver.air_quality_hourly_quarantine", None, "62ab940a2d128a82"),
    ("gold.fact_air_quality_hourly", "danang", "9d194e177edbf1e0"),
    ("gold.fact_city_daily", None, "cd862f5cfb114c70"),
    ("gold.fact_episode", "hcmc", "c84c7f39848e42f8"),
]
COMPUTED = [  # by its code: another rule, name and location, domain and limit
    (BRONZE, "hanoi", "e138821e0ea7c60e"),
    (BRONZE, "hcmc", "e14532769f213b11"),
    (BRONZE, "danang", "c1174f4a9c1802ef"),
    (BRONZE, "hue", "3bcbb594efdb5975"),  # not configured
    ("gold.dim_date", None, "a2d95a4478c68f84"),
    ("gold.dim_location", None, "9bd4e1174a7ab0b7"),
    ("silver.air_quality_hourly_clean", None, "7a2e2cac6a613eb9"),
    ("silver.air_quality_hourly_quarantine", None, "47960826b0b962f2"),
    ("gold.fact_city_daily", None, "cd862f5cfb114c70"),
    ("gold.fact_episode", None, "210d7619cef2f59e"),
]
CONTRACTS = {
    BRONZE: "b51800915c7c65f7",
    "gold.dim_date": "597ad1b41c61fed0",
    "gold.dim_time": "8a5839563e591098",
    "gold.dim_location": "28cbd563c68b5fd4",
    "gold.dim_pollutant": "95fea0f386f9afc4",
    "silver.air_quality_hourly_clean": "8923b5710038d562",
    "silver.air_quality_hourly_quarantine": "e9a7a38b5cc1bd3e",
    "gold.fact_air_quality_hourly": "5bb92b2319e33f6d",
    "gold.fact_city_daily": "508bc29dc9a93935",
    "gold.fact_episode": "abe8815937bdbfb5",
}


def with_rules(parameters: Parameters) -> Parameters:
    return replace(parameters, row_rules=load_contracts(CATALOG, parameters.limits)[RULED].rules)


def test_versions_in_a_warehouse_of_then() -> None:
    parameters = with_rules(DEFAULT)
    assert [(key, at, KEPT.version(key, parameters, at)) for key, at, _ in RECORDED] == RECORDED


def test_versions_for_other_settings() -> None:
    changed = with_rules(
        replace(
            DEFAULT,
            episode_rule=EpisodeRule(200, 6),
            locations=MOVED,
            model_domain="cams_europe",
            limits={"pm25": Bounds(None, 900.0)},
        )
    )
    assert [(key, at, KEPT.version(key, changed, at)) for key, at, _ in COMPUTED] == COMPUTED


def test_other_locations_than_the_configured() -> None:
    parameters = with_rules(DEFAULT)
    moved = replace(parameters, locations=MOVED)
    for key in (BRONZE, "gold.dim_location", "gold.fact_episode"):
        assert KEPT.version(key, parameters, "hanoi", locations=MOVED) == KEPT.version(key, moved, "hanoi")
    assert KEPT.version(BRONZE, moved, "hanoi", locations=DEFAULT.locations) == "fc482b6148d23a68"


@pytest.mark.parametrize("key", CONTRACTS)
def test_contracts_in_a_warehouse_of_then(key: str) -> None:
    assert KEPT.contract(key, load_contracts(CATALOG, DEFAULT.limits)[key].rules) == CONTRACTS[key]


def test_a_contract_for_another_limit() -> None:
    contracts = load_contracts(CATALOG, {"pm25": Bounds(None, 900.0)})
    assert KEPT.contract(RULED, contracts[RULED].rules) == "c6024903d30f4df8"


def test_rules_of_later_columns_do_not_count() -> None:
    parameters = with_rules(DEFAULT)
    later = replace(
        parameters, row_rules=(*parameters.row_rules, RowRule("implausible", "above", "of_later_times", 1.0))
    )
    assert KEPT.version(RULED, later, None) == KEPT.version(RULED, parameters, None)
    assert KEPT.contract(RULED, later.row_rules) == CONTRACTS[RULED]


def test_shapes() -> None:
    shape = KEPT.shape("gold.dim_time")
    assert shape is not None
    columns, key = shape
    assert columns[0] == ("time_key", "integer", False)
    assert key == ("time_key",)


def test_an_asset_of_later_times_has_none() -> None:
    assert KEPT.version("gold.later", DEFAULT, None) is None
    assert KEPT.shape("gold.later") is None
    assert KEPT.contract("gold.later", ()) is None

"""Code versions of the real assets: what of their code and of the settings counts, and for which partitions."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from assets import CATALOG
from assets.parameters import Calendar, EpisodeRule, Parameters
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import Check
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import AllPartitions, Identity, RunWindow
from orchestration.engine.code.code_version import CodeVersions
from orchestration.project import load
from tests.support.contracts import load_contracts

PARAMETERS = load("local", environment={}).parameters
BRONZE, LOCATIONS = CATALOG["bronze.open_meteo_hourly"], CATALOG["gold.dim_location"]
HOURLY = CATALOG["gold.fact_air_quality_hourly"]
RULED = "silver.air_quality_hourly_clean"
HUE = Location("hue", "Huế", 16.46, 107.59, "Asia/Ho_Chi_Minh")


def versions_of(parameters: Parameters) -> CodeVersions:
    return CodeVersions(parameters, "assets")


def test_adding_a_location_changes_no_other_location_of_bronze() -> None:
    before = versions_of(PARAMETERS)
    after = versions_of(replace(PARAMETERS, locations=(HUE, *PARAMETERS.locations)))
    for location in PARAMETERS.locations:
        assert after.of(BRONZE, location.key) == before.of(BRONZE, location.key)
    versions = {after.of(BRONZE, location.key) for location in (HUE, *PARAMETERS.locations)}
    assert len(versions) == 4
    assert after.of(LOCATIONS, None) != before.of(LOCATIONS, None)


def test_moving_a_location_changes_that_location_of_bronze_alone() -> None:
    hanoi, *others = PARAMETERS.locations
    before = versions_of(PARAMETERS)
    after = versions_of(replace(PARAMETERS, locations=(replace(hanoi, latitude=21.1), *others)))
    keys = [location.key for location in PARAMETERS.locations]
    assert [key for key in keys if after.of(BRONZE, key) != before.of(BRONZE, key)] == ["hanoi"]


def test_locations_of_other_assets_share_one_version() -> None:
    """But for the hourly fact, whose local time hangs on the zone of a location."""
    versions = versions_of(PARAMETERS)
    for at in CATALOG:
        if at is not BRONZE and at is not HOURLY:
            assert versions.of(at, "hanoi") == versions.of(at, "hue") == versions.of(at, None)


def test_a_constant_of_the_real_assets_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from assets import dimensions, facts, identifiers

    for key, module, name, value in (
        ("gold.dim_date", dimensions, "MONTHS", [*dimensions.MONTHS[1:], "Smarch"]),
        ("gold.fact_city_daily", facts, "CATEGORIES", {**facts.CATEGORIES, "good": (0, 51)}),
        ("gold.fact_episode", facts, "HOUR_SECONDS", 3601),
        ("gold.fact_episode", identifiers, "NAMESPACE", identifiers.uuid.uuid5(identifiers.NAMESPACE, "x")),
    ):
        before = versions_of(PARAMETERS).of(CATALOG[key], None)
        with monkeypatch.context() as changed:
            changed.setattr(module, name, value)
            assert versions_of(PARAMETERS).of(CATALOG[key], None) != before, name


def test_each_real_asset_has_a_version_of_its_own() -> None:
    versions = versions_of(PARAMETERS)
    assert len({versions.of(at, None) for at in CATALOG}) == len(CATALOG)


def test_bronze_reads_key_latitude_and_longitude_of_a_location() -> None:
    """Another name or time zone changes no version of it; ``gold.dim_location`` shows them."""
    hanoi, *others = PARAMETERS.locations
    before = versions_of(PARAMETERS)
    after = before.with_locations((replace(hanoi, name="Hà Nội (centre)", timezone="UTC"), *others))
    assert before.used(BRONZE)["locations"] == {"key", "latitude", "longitude"}
    assert after.of(BRONZE, "hanoi") == before.of(BRONZE, "hanoi")
    assert after.of(LOCATIONS, None) != before.of(LOCATIONS, None)
    assert after.code_part(LOCATIONS) == before.code_part(LOCATIONS)
    alone = versions_of(
        replace(PARAMETERS, locations=(replace(hanoi, name="Hà Nội (centre)", timezone="UTC"), *others))
    )
    assert after.of(LOCATIONS, None) == alone.of(LOCATIONS, None)


def test_the_hourly_fact_reads_key_and_time_zone_of_a_location() -> None:
    """A moved or renamed location changes no version of it; without its locations all share one."""
    hanoi, *others = PARAMETERS.locations
    before = versions_of(PARAMETERS)
    moved = before.with_locations((replace(hanoi, name="Hà Nội (centre)", latitude=21.1), *others))
    abroad = before.with_locations((replace(hanoi, timezone="Europe/Berlin"), *others))
    assert before.used(HOURLY)["locations"] == {"key", "timezone"}
    keys = [location.key for location in PARAMETERS.locations]
    assert [moved.of(HOURLY, key) for key in keys] == [before.of(HOURLY, key) for key in keys]
    assert [key for key in keys if abroad.of(HOURLY, key) != before.of(HOURLY, key)] == ["hanoi"]
    without = {codes.settings_part(HOURLY, key, without=("locations",)) for codes in (before, abroad) for key in keys}
    assert len(without) == 1


def test_a_property_counts_by_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    episode = CATALOG["gold.fact_episode"]
    versions = versions_of(PARAMETERS)
    assert versions.used(episode) == {"episode_rule": {"threshold", "min_hours", "code"}}
    before = versions.settings_part(episode, None)
    monkeypatch.setattr(EpisodeRule, "code", property(lambda rule: f"AQI>{rule.threshold}"))
    after = versions_of(PARAMETERS)
    assert after.settings_part(episode, None) != before
    assert after.code_part(episode) == versions.code_part(episode)


def test_classes_of_the_engine_may_be_renamed_and_moved() -> None:
    before = {at.key: versions_of(PARAMETERS).of(at, None) for at in CATALOG}
    kinds = (Identity, AllPartitions, RunWindow, Location, EpisodeRule, Calendar, Check, Asset)
    names = [(kind.__name__, kind.__qualname__, kind.__module__) for kind in kinds]
    try:
        for kind in kinds:
            kind.__name__ = kind.__qualname__ = "Renamed"
            kind.__module__ = "orchestration.elsewhere"
        assert {at.key: versions_of(PARAMETERS).of(at, None) for at in CATALOG} == before
    finally:
        for kind, (name, qualified, module) in zip(kinds, names, strict=True):
            kind.__name__, kind.__qualname__, kind.__module__ = name, qualified, module


def test_every_real_asset_is_given_what_its_version_counts() -> None:
    parameters = replace(PARAMETERS, row_rules=load_contracts(CATALOG, PARAMETERS.limits)[RULED].rules)
    versions = versions_of(parameters)
    for at in CATALOG:
        given = versions.arguments(at)
        assert set(given) == set(at.parameters)
    (hanoi, *_) = versions.arguments(BRONZE)["locations"]
    assert (hanoi.key, hanoi.latitude) == ("hanoi", PARAMETERS.locations[0].latitude)
    with pytest.raises(DeclarationError, match="the attribute 'name' of a Location was read"):
        _ = hanoi.name
    rules = versions.arguments(CATALOG[RULED])["row_rules"]
    assert versions.used(CATALOG[RULED]) == {"row_rules": {"rule", "kind", "column", "bound", "other"}}
    assert len(rules) == len(parameters.row_rules)
    assert versions.arguments(CATALOG["gold.fact_episode"])["episode_rule"].code == "AQI>=151_4h"
    other = replace(parameters, model_domain="cams_europe")
    assert versions.arguments(BRONZE, other)["model_domain"] == "cams_europe"


def test_versions_of_checks() -> None:
    versions = versions_of(PARAMETERS)
    checks = [check for at in CATALOG for check in at.checks]
    found = [versions.check_version(check) for check in checks]
    assert all(re.fullmatch("[0-9a-f]{8}", version) for version in found)
    by_name = {(check.name, version) for check, version in zip(checks, found, strict=True)}
    assert len(by_name) == 5  # outside_calendar is of two columns
    assert versions.check_version(replace(checks[0], blocking=not checks[0].blocking)) != found[0]
    assert versions.check_version(replace(checks[0], remedy="Other words.", name="other")) == found[0]


def test_versions_are_the_same_from_many_threads() -> None:
    """Python 3.11 fails now and then where threads parse at once: steps run side by side."""
    from concurrent.futures import ThreadPoolExecutor

    parameters = load(environment={}).parameters
    want = [versions_of(parameters).of(asset, None) for asset in CATALOG]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            versions = versions_of(parameters)
            assert list(pool.map(lambda asset, of=versions: of.of(asset, None), CATALOG)) == want

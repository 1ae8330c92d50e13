"""What wrong calls are answered with, whatever the command. Without a JVM."""

from __future__ import annotations

import pytest

from tests.support.cli_calls import DAILY, EPISODE, Aqi, tree
from tests.support.this_machine import fake_java

NOTHING = f"{EPISODE} and not {EPISODE}"


# --- selections, ranges, locations ----------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        ("materialize", "--partitions", "last:1"),
        ("materialize", "--partitions", "last:1", "--dry-run", "--json"),
        ("plan", "--partitions", "last:1", "--json"),
        ("status", "--json"),
        ("show",),
        ("lineage", "-o", "lineage.txt"),
    ],
    ids=" ".join,
)
def test_a_wrong_selection(aqi: Aqi, call: tuple[str, ...]) -> None:
    command, *options = call
    place, remedy = aqi.refusal(command, "gold.fact_city_dayly", *options)
    assert place.startswith("unknown asset 'gold.fact_city_dayly'\n    gold.fact_city_dayly\n    ^")
    assert remedy.startswith("did you mean gold.fact_city_daily")
    place, remedy = aqi.refusal(command, "gold.* +", *options)
    assert place.endswith("\n    gold.* +\n           ^")
    assert "+x" in remedy
    assert aqi.refusal(command, NOTHING, *options) == (
        f"the selection {NOTHING!r} means no asset",
        "Widen it; `aqi lineage` shows all assets.",
    )


@pytest.mark.parametrize("command", ["materialize", "plan", "status", "show"])
@pytest.mark.parametrize(
    ("days", "place", "remedy"),
    [
        ("yesterday", "cannot read partition range 'yesterday'", "2025-08-08"),
        ("2025-13", "there is no month 2025-13", "months are 01 to 12"),
        ("2025-02-30", "there is no day 2025-02-30", "2025-02 has the days 01 to 28"),
        ("2025-08-14..2025-08-08", "ends before it starts", "swap its ends: 2025-08-08..2025-08-14"),
        ("2012-12-31", "before the feed begins", "start on 2013-01-01 or later"),
        ("2025-08-21", "in the future: today is 2025-08-20", "start on 2025-08-20 or earlier"),
        ("last:x", "a number of days", "last:7"),
        ("", "range ''", ""),
    ],
)
def test_a_wrong_range(aqi: Aqi, command: str, days: str, place: str, remedy: str) -> None:
    told = aqi.refusal(command, EPISODE, "--partitions", days)
    assert place in told[0]
    assert remedy in told[1]


@pytest.mark.parametrize("command", ["materialize", "plan", "status", "show"])
@pytest.mark.parametrize("asset", [DAILY, "gold.dim_date"])
def test_an_unknown_location(aqi: Aqi, command: str, asset: str) -> None:
    ranged = ("--partitions", "last:1") if asset == DAILY else ()
    for days in {ranged, ()} if command in ("status", "show") else {ranged}:
        told = aqi.refusal(command, asset, *days, "--locations", "hcmc, hanio")
        assert told == ("location 'hanio' is unknown", "Did you mean 'hanoi'?")
    known = "Known are danang, hanoi, hcmc."
    assert aqi.refusal(command, asset, *ranged, "--locations", "zzz") == ("location 'zzz' is unknown", known)


@pytest.mark.parametrize("command", ["materialize", "plan"])
def test_dated_assets_need_a_range(aqi: Aqi, command: str) -> None:
    place, remedy = aqi.refusal(command, "layer:gold")
    assert place == "gold.fact_air_quality_hourly has partitions: say which"
    assert "--partitions 2025-08-13..2025-08-20" in remedy


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", [("materialize", "*"), ("plan", "*"), ("status",), ("show", EPISODE), ("lineage",), ("simulate",)]
)
def test_a_wrong_configuration(aqi: Aqi, call: tuple[str, ...]) -> None:
    place = "the environment (AQI_WAREHOUSE__URL): unknown key 'warehouse.url'"
    assert aqi.refusal(*call, AQI_WAREHOUSE__URL="x") == (place, "Did you mean 'uri'?")
    place, _ = aqi.refusal(*call, AQI_OPEN_METEO__ATTEMPTS="many")
    assert place.startswith("the environment (AQI_OPEN_METEO__ATTEMPTS): open_meteo.attempts: ")
    assert "'many'" in place
    place, remedy = aqi.refusal(*call, "--profile", "locol")
    assert place == "profile: 'locol' is unknown"
    assert "local" in remedy
    assert aqi.refusal(*call, AQI_PROFILE="gone.yml")[0] == "profile: there is no file gone.yml"
    (aqi.folder / "mine.yml").write_text("spark: {mastr: local}")
    told = aqi.refusal(*call, "--profile", "mine.yml")
    assert told == ("mine.yml: unknown key 'spark.mastr'", "Did you mean 'master'?")


@pytest.mark.parametrize("uri", ["file", "file/below"])
@pytest.mark.parametrize(
    "call", [("plan", "gold.dim_date"), ("status",), ("show", "gold.dim_date"), ("materialize", "gold.dim_date")]
)
def test_a_warehouse_that_cannot_be_one(aqi: Aqi, call: tuple[str, ...], uri: str) -> None:
    """Root may write everywhere, but not below a file."""
    (aqi.folder / "file").touch()
    place, remedy = aqi.refusal(*call, AQI_WAREHOUSE__URI=uri)
    assert place.startswith(f"the warehouse {aqi.folder / uri} cannot be read")
    assert "AQI_WAREHOUSE__URI" in remedy


@pytest.mark.costly
@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=pytest.mark.spark)])
def test_a_warehouse_that_cannot_be_written(aqi: Aqi, engine: str) -> None:
    """Nobody may make a folder in /proc, not even root."""
    java = {"JAVA_HOME": fake_java(aqi.folder, "17.0.1")} if engine == "spark" else {}
    env = {"AQI_WAREHOUSE__URI": "/proc/warehouse", "AQI_ENGINE": engine, **java}
    place, remedy = aqi.refusal("materialize", "gold.dim_date", "--json", in_process=False, **env)
    assert place.startswith("the warehouse /proc/warehouse is not writable")
    assert "AQI_WAREHOUSE__URI" in remedy


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("show", EPISODE, "--limit", "-1"), "'--limit': -1 is not in the range"),
        (("show", EPISODE, "--limit", "many"), "'--limit': 'many' is not a valid integer"),
        (("show", EPISODE, "--format", "xml"), "'--format': 'xml' is not one of 'table', 'csv', 'json'"),
        (("lineage", "--format", "xml"), "'--format'"),
        (("lineage", "-o", "."), "'.' is a directory"),
        (("simulate", "--port", "65536"), "'--port': 65536 is not in the range"),
        (("simulate", "--replay", "nowhere"), "'nowhere' does not exist"),
        (("demo", "--days", "0"), "'--days': 0 is not in the range"),
        (("plan", "*", "--partition", "last:1"), "--partitions"),
        (("materialise", "*"), "Did you mean 'materialize'?"),
    ],
)
def test_a_wrong_option(aqi: Aqi, call: tuple[str, ...], told: str) -> None:
    before = tree(aqi.folder)
    result = aqi(*call)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("Error:") == 1
    assert told in result.stderr
    assert "--help" in result.stderr
    assert tree(aqi.folder) == before


def test_verify_on_a_profile_that_is_for_spark_does_not_try_the_other_engine(aqi: Aqi) -> None:
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    call = ("verify", "*", "--partitions", "2025-08-08", "--profile", "yarn", "--no-yarn-check")
    result = aqi(*call, AQI_SPARK__MASTER="local[2]", AQI_WAREHOUSE__URI="warehouse")
    assert result.exit_code == 1
    assert "nothing can be compared: no partition of these is fresh" in result.stderr

"""The command line: what every wrong call is answered with, what JSON is printed, and how rows look. Without a JVM."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestration.core.errors import RunError
from orchestration.engine.workspace import Workspace
from tests.support.cli_calls import AQI, AT, DAILY, EPISODE, QUARANTINE, Aqi, tree


@contextmanager
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


NOTHING = f"{EPISODE} and not {EPISODE}"


# --- refusals: selections, ranges, places ---------------------------------------------------------


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
def test_an_unknown_place(aqi: Aqi, command: str, asset: str) -> None:
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
    assert "--partitions last:7" in remedy


# --- refusals: configuration ----------------------------------------------------------------------


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


def test_the_doctor_tells_of_a_wrong_configuration(aqi: Aqi) -> None:
    found = aqi.json("doctor", status=1, AQI_WAREHOUSE__URL="x")
    assert found[-1] == {
        "what": "configuration",
        "ok": False,
        "found": "the environment (AQI_WAREHOUSE__URL): unknown key 'warehouse.url'",
        "remedy": "Did you mean 'uri'?",
    }


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


def test_a_warehouse_that_cannot_be_written(aqi: Aqi) -> None:
    """Nobody may make a folder in /proc, not even root."""
    env = {"AQI_WAREHOUSE__URI": "/proc/warehouse", "JAVA_HOME": fake_java(aqi.folder, "17.0.1")}
    place, remedy = aqi.refusal("materialize", "gold.dim_date", "--json", in_process=False, **env)
    assert place.startswith("the warehouse /proc/warehouse is not writable")
    assert "AQI_WAREHOUSE__URI" in remedy


@pytest.mark.parametrize("uri", ["file", "file/below"])
def test_the_doctor_tells_of_a_warehouse_that_cannot_be_written(aqi: Aqi, uri: str) -> None:
    (aqi.folder / "file").touch()
    findings = {item["what"]: item for item in aqi.json("doctor", status=1, AQI_WAREHOUSE__URI=uri)}
    assert not findings["warehouse"]["ok"]
    assert "AQI_WAREHOUSE__URI" in findings["warehouse"]["remedy"]


# --- refusals: options ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("show", EPISODE, "--limit", "0"), "'--limit': 0 is not in the range"),
        (("show", EPISODE, "--limit", "-1"), "'--limit': -1 is not in the range"),
        (("show", EPISODE, "--limit", "many"), "'--limit': 'many' is not a valid integer"),
        (("show", EPISODE, "--format", "xml"), "'--format': 'xml' is not one of 'table', 'csv', 'json'"),
        (("lineage", "--format", "xml"), "'--format'"),
        (("lineage", "-o", "."), "'.' is a directory"),
        (("simulate", "--port", "65536"), "'--port': 65536 is not in the range"),
        (("simulate", "--replay", "nowhere"), "'nowhere' does not exist"),
        (("demo", "--days", "0"), "'--days': 0 is not in the range"),
        (("plan",), "Missing argument 'SELECTION'"),
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


def test_show_wants_one_asset(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("show", "gold.fact_*")
    assert place == "gold.fact_* means 3 assets"
    assert remedy == "Name one of gold.fact_air_quality_hourly, gold.fact_city_daily, gold.fact_episode."


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_show_wants_a_table(aqi: Aqi, form: str) -> None:
    place, remedy = aqi.refusal("show", EPISODE, "--format", form)
    assert place == f"{EPISODE} has no table in {aqi.folder / 'warehouse'}"
    assert f"aqi materialize '+{EPISODE}'" in remedy


@pytest.mark.parametrize("output", ["file/below", "nowhere/lineage.txt"])
def test_an_output_that_cannot_be_written(aqi: Aqi, output: str) -> None:
    (aqi.folder / "file").touch()
    assert aqi.refusal("lineage", "-o", output)[0].startswith(f"{output} cannot be written (")


@pytest.mark.parametrize(
    ("faults", "place", "remedy"),
    [
        ("nonsens", "unknown fault 'nonsens'", "Did you mean 'nonsense'?"),
        ("slow,dorp:0.5", "unknown fault 'dorp'", "Did you mean 'drop'?"),
    ],
)
def test_an_unknown_fault(aqi: Aqi, faults: str, place: str, remedy: str) -> None:
    told = aqi.refusal("simulate", "--fault", faults, "--port", "0")
    assert told[0] == place
    assert told[1].startswith(remedy)


def test_all_faults(aqi: Aqi) -> None:
    assert "\nslow: the answer comes late\n" in aqi.text("simulate", "--fault", "help")


def test_a_port_that_is_taken(aqi: Aqi) -> None:
    with taken_port() as port:
        place, remedy = aqi.refusal("simulate", "--port", str(port))
    assert place.startswith(f"cannot listen on 127.0.0.1:{port} (")
    assert "--port" in remedy


def test_a_folder_without_recordings(aqi: Aqi) -> None:
    assert "no *.json to replay" in aqi.refusal("simulate", "--replay", ".", "--port", "0")[0]


def test_the_simulator_serves_until_it_is_interrupted(aqi: Aqi) -> None:
    command = [str(AQI), "simulate", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            process.stderr.readline()
            url = process.stderr.readline().strip().partition("AQI_OPEN_METEO__BASE_URL=")[2]
            assert url.startswith("http://127.0.0.1:")
            query = "latitude=21&longitude=105&hourly=pm2_5&start_date=2025-08-19&end_date=2025-08-19"
            answer = requests.get(f"{url}/v1/air-quality?{query}", timeout=10)
            assert len(answer.json()["hourly"]["time"]) == 24
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10) == ("", "")
        finally:
            process.kill()
    assert process.returncode == 0


# --- without Java ---------------------------------------------------------------------------------


def fake_java(folder: Path, version: str) -> str:
    """A home of Java whose program tells its version and can do nothing else."""
    home = folder / f"java-{version}"
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2021-10-19' >&2\n")
    java.chmod(0o755)
    return str(home)


@pytest.mark.parametrize(
    "call",
    [("plan", "*", "--partitions", "last:1"), ("status",), ("lineage",), ("show", EPISODE, "--format", "csv")],
    ids=lambda call: call[0],
)
def test_what_needs_no_jvm_does_without(aqi: Aqi, lake: str, call: tuple[str, ...]) -> None:
    text = aqi.text(*call, AQI_WAREHOUSE__URI=lake, PATH="/nowhere")
    assert EPISODE in text or "AQI>=151_4h" in text


def test_a_plan_in_a_process_of_its_own(aqi: Aqi, lake: str) -> None:
    call = ("plan", "*", "--partitions", "last:1", "--json")
    done = aqi.process(*call, AQI_WAREHOUSE__URI=lake, PATH="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == aqi.json(*call, AQI_WAREHOUSE__URI=lake)


@pytest.fixture
def _prefect_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `aqi materialize` sets for Prefect in the environment ends with the test."""
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")


@pytest.mark.usefixtures("_prefect_as_it_was")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_java(aqi: Aqi, options: tuple[str, ...]) -> None:
    """Told before anything is done: there is no warehouse and no log afterwards."""
    place, remedy = aqi.refusal("materialize", "gold.dim_date", *options)
    assert place == f"there is no Java in JAVA_HOME ({aqi.folder / 'no-java'})"
    assert "Java 17" in remedy
    place, remedy = aqi.refusal("materialize", "gold.dim_date", *options, JAVA_HOME="", PATH="/nowhere")
    assert place == "there is no Java in PATH"
    assert "Java 17" in remedy


def test_a_java_that_is_too_old(aqi: Aqi) -> None:
    java = fake_java(aqi.folder, "11.0.2")
    place, remedy = aqi.refusal("materialize", "gold.dim_date", in_process=False, JAVA_HOME=java)
    assert place == f"Java 11.0.2 ({java}/bin/java) is too old: Spark needs 17 or newer"
    assert "JAVA_HOME" in remedy


# --- what goes wrong otherwise --------------------------------------------------------------------


def raising(error: BaseException) -> Callable[..., Any]:
    def instead(*_: object) -> None:
        raise error

    return instead


def test_an_unexpected_error_is_not_swallowed(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ZeroDivisionError("a mistake of ours")
    monkeypatch.setattr(Workspace, "select", raising(error))
    result = aqi("status")
    assert result.exception is error
    assert result.exit_code == 1


def test_a_failure_is_one(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(RunError("it broke", "Mend it.")))
    result = aqi("status", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "error: it broke\n  Mend it.\n")


def test_an_interrupt(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(KeyboardInterrupt()))
    result = aqi("status")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("interrupted")


def test_a_reader_that_goes_away(aqi: Aqi) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([AQI, "lineage"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


# --- JSON -----------------------------------------------------------------------------------------


def test_plan_as_json(aqi: Aqi) -> None:
    """DESIGN, Commands: these keys and no others."""
    plan = aqi.json("plan", f"{EPISODE} or +{DAILY}", "--partitions", "2025-08-18..2025-08-19", "--locations", "hanoi")
    assert set(plan) == {"steps", "left_out"}
    assert [step["asset"] for step in plan["steps"]] == [
        "bronze.open_meteo_hourly",
        "silver.air_quality_hourly_clean",
        "gold.fact_air_quality_hourly",
        DAILY,
        EPISODE,
    ]
    for step in plan["steps"]:
        assert set(step) == {"id", "asset", "partitions", "may_rewrite", "inputs", "reason"}
        assert step["partitions"] == ["2025-08-18/hanoi", "2025-08-19/hanoi"]
        assert isinstance(step["may_rewrite"], list)
        assert step["reason"] == "2 missing"
    assert [item["step"] for item in plan["steps"][3]["inputs"]] == ["gold.fact_air_quality_hourly"]
    assert plan["left_out"] == []


def test_what_a_plan_leaves_out(aqi: Aqi) -> None:
    plan = aqi.json("plan", DAILY, "--partitions", "2025-08-19", "--locations", "hanoi,hcmc")
    assert plan["steps"] == []
    [left] = plan["left_out"]
    assert set(left) == {"asset", "partitions", "reason"}
    assert (left["asset"], left["partitions"]) == (DAILY, ["2025-08-19/hanoi", "2025-08-19/hcmc"])
    assert f"'+{DAILY}'" in left["reason"]


def test_a_dry_run_is_the_plan_and_leaves_nothing_behind(aqi: Aqi) -> None:
    call = ("*", "--partitions", "last:2")
    before = tree(aqi.folder)
    assert aqi.json("materialize", *call, "--dry-run") == aqi.json("plan", *call)
    assert aqi.text("materialize", *call, "--dry-run") == aqi.text("plan", *call)
    assert tree(aqi.folder) == before


def test_status_as_json(aqi: Aqi, lake: str) -> None:
    """DESIGN, Commands: these keys and no others."""
    found = aqi.json("status", f"{EPISODE} or {DAILY} or gold.dim_time or gold.dim_date", AQI_WAREHOUSE__URI=lake)
    names = ["asset", "partition", "state", "reason", "marks", "rows", "version", "run_id"]
    assert all(list(item) == names for item in found)
    by_key = {(item["asset"], item["partition"]): item for item in found}
    assert len(by_key) == len(found) == 2 + 2 * 3
    assert by_key["gold.dim_time", "null"] == {
        "asset": "gold.dim_time",
        "partition": "null",
        "state": "fresh",
        "reason": f"made {AT}",
        "marks": [],
        "rows": 24,
        "version": 0,
        "run_id": "run-1",
    }
    missing = {"state": "missing", "reason": "never made", "rows": None, "version": None, "run_id": None}
    assert by_key[DAILY, "2025-08-19/danang"].items() >= missing.items()
    assert by_key[DAILY, "2025-08-18/hanoi"]["state"] == "unrecorded"
    stale = {"state": "stale", "rows": 2, "reason": "upstream gold.fact_air_quality_hourly 2025-08-18/hanoi changed"}
    assert by_key[EPISODE, "2025-08-18/hanoi"].items() >= stale.items()
    assert by_key["gold.dim_date", "null"]["reason"] == "its code or parameters changed"


def test_status_of_a_range(aqi: Aqi, lake: str) -> None:
    call = ("status", EPISODE, "--locations", "hanoi")
    one_place = aqi.json(*call, AQI_WAREHOUSE__URI=lake)
    assert [item["partition"] for item in one_place] == ["2025-08-18/hanoi"]
    range_ = aqi.json(*call, "--partitions", "2025-08-17..2025-08-18", AQI_WAREHOUSE__URI=lake)
    assert [(item["partition"], item["state"]) for item in range_] == [
        ("2025-08-17/hanoi", "missing"),
        ("2025-08-18/hanoi", "stale"),
    ]
    assert aqi.json("status", EPISODE) == []


def test_lineage_as_json(aqi: Aqi) -> None:
    lineage = aqi.json("lineage", f"1+{EPISODE}")
    assert [asset["key"] for asset in lineage["assets"]] == ["gold.fact_air_quality_hourly", EPISODE]
    assert [(edge["upstream"], edge["downstream"]) for edge in lineage["edges"]] == [
        ("gold.fact_air_quality_hourly", EPISODE)
    ]
    assert len(aqi.json("lineage")["assets"]) == 10
    assert json.loads(aqi.text("lineage", "--format", "json")) == aqi.json("lineage")


def test_lineage_into_a_file(aqi: Aqi) -> None:
    for options in ((), ("--json",)):
        assert aqi.text("lineage", "-o", "it.txt", *options) == ""
        assert (aqi.folder / "it.txt").read_text(encoding="utf-8") == aqi.text("lineage", *options)


def test_doctor_as_json(aqi: Aqi) -> None:
    before = tree(aqi.folder)
    found = {item.pop("what"): item for item in aqi.json("doctor", status=1)}
    assert all(set(item) == {"ok", "found", "remedy"} for item in found.values())
    assert all(item["ok"] or item["remedy"] for item in found.values())
    assert found["Java"]["ok"] is False
    assert found["assets and contracts"] == {"ok": True, "found": "10 assets, 10 contracts", "remedy": ""}
    assert found["warehouse"]["ok"] is True
    assert found["Prefect"]["ok"] is True
    assert tree(aqi.folder) == before


def test_doctor_for_people(aqi: Aqi) -> None:
    with taken_port() as port:
        url = f"http://127.0.0.1:{port}/api"
    result = aqi("doctor", PREFECT_API_URL=url)
    assert (result.exit_code, result.stderr) == (1, "")
    assert f"FAULT  Prefect: {url} does not answer (ConnectionError)\n       → Start it" in result.stdout
    assert f"FAULT  Java: there is no Java in JAVA_HOME ({aqi.folder / 'no-java'})\n       → " in result.stdout


# --- rows -----------------------------------------------------------------------------------------


def test_rows_as_csv(aqi: Aqi, lake: str) -> None:
    """DESIGN, Commands: dates, timestamps, nothing for null; in the order of the key."""
    before = tree(Path(lake))
    assert aqi.text("show", EPISODE, "--format", "csv", AQI_WAREHOUSE__URI=lake) == (
        "episode_id,location_key,start_ts_utc,end_ts_utc,start_date_utc,duration_hours,peak_aqi,hours_flagged,"
        "dominant_pollutant,rule_code\n"
        "danang-18-7,danang,2025-08-18T07:00:00Z,2025-08-18T10:00:00Z,2025-08-18,4,160,4,pm25,AQI>=151_4h\n"
        "hanoi-18-0,hanoi,2025-08-18T00:00:00Z,2025-08-18T03:00:00Z,2025-08-18,4,500,4,pm25,AQI>=151_4h\n"
        "hanoi-18-9,hanoi,2025-08-18T09:00:00Z,2025-08-18T12:00:00Z,2025-08-18,4,160,4,,AQI>=151_4h\n"
    )
    assert tree(Path(lake)) == before


def test_booleans_and_text_with_signs_as_csv(aqi: Aqi, lake: str) -> None:
    assert aqi.text("show", "gold.dim_date", "--format", "csv", AQI_WAREHOUSE__URI=lake).splitlines()[1:] == [
        '20250815,2025-08-15,16,6,33,8,"August, hot [red]",3,2025,false',
        '20250816,2025-08-16,16,6,33,8,"August, hot [red]",3,2025,true',
    ]


def test_lists_and_odd_numbers_as_csv(aqi: Aqi, lake: str) -> None:
    text = aqi.text("show", QUARANTINE, "--format", "csv", AQI_WAREHOUSE__URI=lake)
    [row] = csv.DictReader(io.StringIO(text))
    assert row["broken_rules"] == "negative;not_finite"
    assert (row["ts_utc"], row["date_utc"]) == ("2025-08-18T06:00:00Z", "2025-08-18")
    assert row["_ingested_at"] == "2025-08-20T06:00:01Z"
    assert (row["latitude"], row["pm25"], row["aqi"]) == ("21.0278", "-1.5", "")
    assert (row["pm10"], row["co"]) == ("NaN", "Infinity")


def test_rows_as_json(aqi: Aqi, lake: str) -> None:
    [row] = aqi.json("show", QUARANTINE, AQI_WAREHOUSE__URI=lake)
    assert row["broken_rules"] == ["negative", "not_finite"]
    assert (row["ts_utc"], row["date_utc"]) == ("2025-08-18T06:00:00Z", "2025-08-18")
    assert (row["latitude"], row["pm25"], row["aqi"]) == (21.0278, -1.5, None)
    assert (row["pm10"], row["co"]) == ("NaN", "Infinity"), "JSON has no such numbers"
    dates = json.loads(aqi.text("show", "gold.dim_date", "--format", "json", AQI_WAREHOUSE__URI=lake))
    assert [(row["date_value"], row["is_weekend"]) for row in dates] == [("2025-08-15", False), ("2025-08-16", True)]


@pytest.mark.parametrize("key", [QUARANTINE, EPISODE, "gold.dim_date"])
def test_rows_as_a_table_are_whole(aqi: Aqi, lake: str, key: str) -> None:
    header, *rows = aqi.text("show", key, AQI_WAREHOUSE__URI=lake).splitlines()
    cells = list(csv.reader(io.StringIO(aqi.text("show", key, "--format", "csv", AQI_WAREHOUSE__URI=lake))))
    assert header.split() == cells[0]
    assert len(rows) == len(cells) - 1
    for row, expected in zip(rows, cells[1:], strict=True):
        assert row.split() == " ".join(expected).split()


def test_the_limit_of_rows(aqi: Aqi, lake: str) -> None:
    def hours(*options: str) -> list[int]:
        return [row["hour"] for row in aqi.json("show", "gold.dim_time", *options, AQI_WAREHOUSE__URI=lake)]

    assert hours() == list(range(20))
    assert hours("--limit", "3") == [0, 1, 2]
    assert hours("--limit", "100") == list(range(24))


def test_rows_of_partitions(aqi: Aqi, lake: str) -> None:
    def shown(*options: str) -> list[str]:
        return [row["episode_id"] for row in aqi.json("show", EPISODE, *options, AQI_WAREHOUSE__URI=lake)]

    assert shown("--locations", "hanoi") == ["hanoi-18-0", "hanoi-18-9"]
    assert shown("--locations", "danang,hcmc") == ["danang-18-7"]
    assert shown("--partitions", "2025-08-18", "--limit", "2") == ["danang-18-7", "hanoi-18-0"]
    assert shown("--partitions", "2025-08-18", "--locations", "hanoi", "--limit", "1") == ["hanoi-18-0"]
    assert shown("--partitions", "2025-08-19") == []


def test_no_rows(aqi: Aqi, lake: str) -> None:
    options = ("show", EPISODE, "--partitions", "2025-08-19", "--format", "csv")
    assert aqi.text(*options, AQI_WAREHOUSE__URI=lake).count("\n") == 1


# --- for people -----------------------------------------------------------------------------------


def test_status_for_people(aqi: Aqi, lake: str) -> None:
    text = aqi.text("status", f"{DAILY} or gold.dim_time", AQI_WAREHOUSE__URI=lake)
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["gold.dim_time", "fresh", "null", "1", "24"],
        [DAILY, "unrecorded", "2025-08-18", "×", "hanoi", "1", "1", "changed", "by", "somebody", "else"],
    ]
    assert aqi.text("status", EPISODE) == "There is nothing yet.\n"


def test_a_plan_for_people(aqi: Aqi, lake: str) -> None:
    text = aqi.text("plan", EPISODE, "--partitions", "last:1", "--locations", "hanoi", AQI_WAREHOUSE__URI=lake)
    assert text.startswith("Nothing to do.\nleft out gold.fact_episode 2025-08-19..2025-08-20 × hanoi: ")
    assert f"'+{EPISODE}'" in text


def test_the_process_ends_by_itself_after_everything_that_asked_to_be_called() -> None:
    """Not by the interpreter's taking down, in which Arrow's threads abort a process now and then."""
    program = """
import atexit, sys, threading, time
import orchestration.cli.common as common
class Kept:
    def __del__(self): print("taken down")
kept = Kept()
def main():
    atexit.register(print, "called")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("done")
    sys.exit({status!r})
common.main = main
common.run()
"""
    for status, expected in ((None, 0), (0, 0), (3, 3), ("text", 1)):
        done = subprocess.run(
            [sys.executable, "-c", program.format(status=status)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.split()) == (expected, ["done", "thread", "called"]), done.stderr
    crashed = [sys.executable, "-c", "import orchestration.cli.common as c; c.main = lambda: 1 / 0; c.run()"]
    done = subprocess.run(crashed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr

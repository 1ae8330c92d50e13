"""`aqi lineage`: its formats, into a file, on a terminal, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from assets import CATALOG
from orchestration.project import load, open_workspace
from orchestration.reports.lineage import FORMATS, NAMES, can_tell
from tests.support.cli_calls import AT, DAILY, EPISODE, Aqi
from tests.support.recorded_columns import LINEAGES, record_columns

PEAK = f"{EPISODE}.peak_aqi"


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse with the columns of some tables; of one as of older code."""
    uri = str(tmp_path_factory.mktemp("columns"))
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))
    record_columns(workspace, LINEAGES, {DAILY: "2:0123456789abcdef"})
    return uri


def test_two_formats_at_once_are_refused(aqi: Aqi) -> None:
    told, remedy = aqi.refusal("lineage", "--json", "--format", "mermaid")
    assert "--format mermaid" in told and "one of the two" in remedy
    assert json.loads(aqi.text("lineage", EPISODE, "--json", "--format", "json"))


def test_lineage_as_json(aqi: Aqi, lake: str) -> None:
    lineage = aqi.json("lineage", f"1+{EPISODE}", AQI_WAREHOUSE__URI=lake)
    assert lineage["format"] == 1
    assert [asset["key"] for asset in lineage["assets"]] == ["gold.fact_air_quality_hourly", EPISODE]
    assert lineage["edges"] == [
        {"upstream": "gold.fact_air_quality_hourly", "downstream": EPISODE, "mapping": "RunWindow"}
    ]
    hourly, episodes = lineage["assets"]
    assert (hourly["states"], hourly["rows"], hourly["last_run"]) == ({"missing": 3}, None, None)
    assert episodes["states"] == {"stale": 3}
    assert (episodes["rows"], episodes["version"]) == (3, 1)
    assert episodes["last_run"] == {"run_id": "run-1", "at": AT, "version": 1}
    assert (episodes["columns_recorded"], episodes["rows_from"]) == ("no", None)
    assert {column["name"]: column["from"] for column in episodes["columns"]}["peak_aqi"] is None
    assert [asset["key"] for asset in aqi.json("lineage")["assets"]] == [*CATALOG.keys]
    assert json.loads(aqi.text("lineage", "--format", "json")) == aqi.json("lineage")


def test_the_tree_says_what_is_there(aqi: Aqi, lake: str) -> None:
    text = aqi.text("lineage", f"1+{EPISODE} or gold.dim_date", AQI_WAREHOUSE__URI=lake)
    assert [" ".join(line.partition(" — ")[0].split()) for line in text.splitlines()] == [
        f"gold.dim_date 1 stale 2 rows {AT[:10]} {AT[11:16]} by run-1",
        "gold.fact_air_quality_hourly 3 missing",
        f"└─ gold.fact_episode [RunWindow] 3 stale 3 rows {AT[:10]} {AT[11:16]} by run-1",
    ]
    assert "nothing yet" in aqi.text("lineage", EPISODE)


def test_every_format_can_be_asked_for_and_text_need_not_be(aqi: Aqi) -> None:
    printed = {name: aqi.text("lineage", EPISODE, "--format", name) for name in FORMATS}
    assert aqi.text("lineage", EPISODE) == printed["text"]
    assert aqi.text("lineage", EPISODE, "--json") == printed["json"]
    assert [name for name, text in printed.items() if EPISODE not in text or not text.endswith("\n")] == []
    assert set(NAMES) == {"text", "html", "json", "mermaid", "openlineage"}


@pytest.mark.costly
def test_lineage_into_a_file(aqi: Aqi, lake: str) -> None:
    for options in ((), ("--json",)):
        assert aqi.text("lineage", "-o", "it.txt", *options, AQI_WAREHOUSE__URI=lake) == ""
        written = (aqi.folder / "it.txt").read_text(encoding="utf-8")
        assert written == aqi.text("lineage", *options, AQI_WAREHOUSE__URI=lake)
        assert "\x1b" not in written
    assert aqi.text("lineage", "-o", "-", AQI_WAREHOUSE__URI=lake) == aqi.text("lineage", AQI_WAREHOUSE__URI=lake)
    assert not (aqi.folder / "-").exists()


@pytest.mark.parametrize("output", ["file/below", "nowhere/lineage.txt", "x" * 300])
@pytest.mark.parametrize("selection", ["*", "no_such_asset"])
def test_an_output_that_cannot_be_written_is_found_before_anything_else(aqi: Aqi, output: str, selection: str) -> None:
    (aqi.folder / "file").touch()
    assert aqi.refusal("lineage", selection, "-o", output)[0].startswith(f"{output} cannot be written (")


def test_an_output_that_was_there_stays_as_it_is_where_the_call_is_wrong(aqi: Aqi) -> None:
    (aqi.folder / "it.txt").write_text("before")
    aqi.refusal("lineage", "no_such_asset", "-o", "it.txt")
    assert (aqi.folder / "it.txt").read_text() == "before"


# --- columns --------------------------------------------------------------------------------------


def test_a_column_up_to_the_provider_s_variable(aqi: Aqi, columns: str) -> None:
    assert aqi.text("lineage", PEAK, "--columns", AQI_WAREHOUSE__URI=columns).splitlines() == [
        f"{PEAK}  comes from",
        "└─ gold.fact_air_quality_hourly.aqi                          AGGREGATION",
        "   └─ silver.air_quality_hourly_clean.aqi                    IDENTITY",
        "      └─ bronze.open_meteo_hourly.aqi                        IDENTITY",
        "         ├─ bronze.open_meteo_hourly.aqi (as it was before)  IDENTITY",
        "         └─ open_meteo.us_aqi                                IDENTITY",
        "",
        "which rows there are is decided by:",
        "  gold.fact_episode                gold.fact_air_quality_hourly.aqi FILTER",
        "  silver.air_quality_hourly_clean  bronze.open_meteo_hourly.pm25 FILTER",
    ]


def test_a_column_downstream_and_only_so_far(aqi: Aqi, columns: str) -> None:
    down = json.loads(aqi("lineage", "open_meteo.us_aqi+", "--columns", "--json", AQI_WAREHOUSE__URI=columns).stdout)
    assert (down["not_recorded"], down["of_older_code"]) == ([], [DAILY])
    assert down["upstream"] is None
    assert {f"{hop['target']['of']}.{hop['target']['column']}" for hop in down["downstream"]["hops"]} >= {
        PEAK,
        f"{DAILY}.aqi_daily_max",
    }
    assert [row["asset"] for row in down["downstream"]["rows"]] == [EPISODE]
    words = aqi("lineage", "open_meteo.pm2_5+1", "--columns", AQI_WAREHOUSE__URI=columns).stdout
    assert words.splitlines() == [
        "open_meteo.pm2_5  goes into",
        "└─ bronze.open_meteo_hourly.pm25  IDENTITY",
        "",
        "has a say in which rows there are:",
        "  silver.air_quality_hourly_clean  bronze.open_meteo_hourly.pm25 FILTER",
        "",
        "may go into these as well, of which not all is known:",
        f"  {EPISODE}.dominant_pollutant  unknown: some_function",
    ]
    call = ("lineage", "1+gold.fact_air_quality_hourly.aqi+", "--columns", "--json")
    both = json.loads(aqi(*call, AQI_WAREHOUSE__URI=columns).stdout)
    assert [hop["source"]["of"] for hop in both["upstream"]["hops"]] == ["silver.air_quality_hourly_clean"]
    assert both["upstream"]["ends"] == [
        {"of": "silver.air_quality_hourly_clean", "column": "aqi", "type": "DIRECT", "kind": "IDENTITY"}
    ]
    assert len(both["downstream"]["hops"]) == 3


def test_columns_of_assets(aqi: Aqi, columns: str) -> None:
    text = aqi.text("lineage", EPISODE, "--columns", AQI_WAREHOUSE__URI=columns)
    assert text.splitlines() == [
        EPISODE,
        "  peak_aqi            gold.fact_air_quality_hourly.aqi AGGREGATION",
        "  dominant_pollutant  gold.fact_air_quality_hourly.aqi CONDITIONAL; unknown: some_function",
        "  rule_code           no column: a constant, or a count of rows",
        "  (rows)              gold.fact_air_quality_hourly.aqi FILTER",
    ]
    (asset,) = aqi.json("lineage", EPISODE, "--columns", AQI_WAREHOUSE__URI=columns)["assets"]
    assert (asset["key"], asset["columns_recorded"]) == (EPISODE, "yes")
    assert asset["columns"][1] == {
        "name": "dominant_pollutant",
        "from": [{"of": "gold.fact_air_quality_hourly", "column": "aqi", "type": "INDIRECT", "kind": "CONDITIONAL"}],
        "unknown": ["some_function"],
    }
    whole = aqi.json("lineage", EPISODE, AQI_WAREHOUSE__URI=columns)["assets"][0]["columns"]
    assert {column["name"]: column["from"] for column in whole}["rule_code"] == []


def test_a_column_of_which_not_all_is_known(aqi: Aqi, columns: str) -> None:
    text = aqi.text("lineage", f"{EPISODE}.dominant_pollutant", "--columns", AQI_WAREHOUSE__URI=columns)
    assert "└─ unknown: some_function" in text


def test_what_older_code_recorded_and_what_nobody_did_is_said(aqi: Aqi, columns: str) -> None:
    done = aqi("lineage", f"{DAILY}.aqi_daily_max", "--columns", AQI_WAREHOUSE__URI=columns)
    assert done.exit_code == 0
    assert f"{DAILY}.aqi_daily_max (as of older code)" in done.stdout
    assert done.stderr == (
        f"note: what is recorded of the columns of {DAILY} is of older code than today's: the next step of an asset "
        "records it anew\n"
    )
    done = aqi("lineage", "gold.dim_time", "--columns", AQI_WAREHOUSE__URI=columns)
    assert (done.exit_code, done.stdout) == (0, "gold.dim_time  (nothing recorded)\n")
    assert done.stderr == (
        "note: nothing is recorded of the columns of gold.dim_time: the next step of an asset records them; "
        "`aqi materialize gold.dim_time --record-columns` does so where all is fresh\n"
    )


def test_a_column_of_which_nothing_is_recorded(aqi: Aqi, columns: str) -> None:
    assert aqi.refusal("lineage", PEAK, "--columns") == (
        f"nothing is recorded of what the columns of {EPISODE} are made from",
        f"The next step of an asset records them; `aqi materialize +{EPISODE} --record-columns` does so where all is "
        "fresh.",
    )
    place, remedy = aqi.refusal("lineage", "open_meteo.us_aqi+", "--columns")
    assert place == "nothing is recorded of what the columns of open_meteo go into"
    assert "`aqi materialize bronze.open_meteo_hourly+ --record-columns`" in remedy  # all that the walk goes over
    told = aqi.refusal("lineage", "gold.dim_time.hor", "--columns", AQI_WAREHOUSE__URI=columns)
    assert told == ("gold.dim_time has no column 'hor'", "Did you mean 'hour'?")


@pytest.mark.parametrize(
    ("column", "place", "remedy"),
    [
        (f"{EPISODE}.peak_aki", f"{EPISODE} has no column 'peak_aki'", "Did you mean 'peak_aqi'?"),
        (f"{EPISODE}.PEAK_AQI", f"{EPISODE} has no column 'PEAK_AQI'", "Did you mean 'peak_aqi'?"),
        ("peak_aqi", "unknown asset 'peak_aqi'", "there is: bronze.open_meteo_hourly, "),
        ("gold.fact_episod.peak_aqi", "unknown asset 'gold.fact_episod'", "did you mean gold.fact_episode"),
        ("open_meteo.us_aki", "open_meteo has no column 'us_aki'", "Did you mean 'us_aqi'?"),
        ("open_metio.us_aqi", "open_metio is no asset or source whose columns are known", "Did you mean 'open_meteo'?"),
        ("gold.fact_episod", "unknown asset 'gold.fact_episod'", "did you mean gold.fact_episode"),
    ],
)
def test_a_column_that_is_not_there(aqi: Aqi, columns: str, column: str, place: str, remedy: str) -> None:
    told = aqi.refusal("lineage", column, "--columns", AQI_WAREHOUSE__URI=columns)
    assert told[0].startswith(place)
    assert told[1].startswith(remedy)


def test_a_variable_comes_from_nowhere(aqi: Aqi, columns: str) -> None:
    told = aqi.text("lineage", "open_meteo.us_aqi", "--columns", AQI_WAREHOUSE__URI=columns)
    assert told.splitlines() == ["open_meteo.us_aqi  comes from", "└─ is what open_meteo sends"]


# --- calls that do not fit ------------------------------------------------------------------------


def test_a_column_without_columns(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("lineage", PEAK)
    assert place.startswith(f"unknown asset '{PEAK}'")
    assert remedy.startswith("A column? Add --columns")


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (
            ("--columns", "--partitions", "2025-08-18"),
            "--columns is about code, --partitions and --locations about rows",
        ),
        (("--locations", "hanoi"), "--locations says of which partition, and no day is named"),
        (("--columns", "--format", "openlineage"), "--columns cannot be told as openlineage"),
        (("--partitions", "2025-08-18", "--format", "mermaid"), "--partitions cannot be told as mermaid"),
    ],
)
def test_options_that_do_not_go_together(aqi: Aqi, call: tuple[str, ...], place: str) -> None:
    assert aqi.refusal("lineage", EPISODE, *call)[0] == place


def test_what_formats_can_tell() -> None:
    assert [name for name in NAMES if can_tell(name, "columns")] == ["text", "json", "mermaid"]
    assert [name for name in NAMES if can_tell(name, "partition")] == ["text", "json"]


@pytest.mark.parametrize("width", [60, 140])
def test_a_terminal_gets_colours_and_words_are_cut_before_facts(
    aqi: Aqi, lake: str, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    text = aqi("lineage", AQI_WAREHOUSE__URI=lake).stdout
    assert "\x1b[" in text
    shown = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, shown.splitlines())) <= width
    lines = re.sub(r"\n {6}", "  ", shown).splitlines()  # facts that go on in another line
    assert [key for key in CATALOG.keys if not any(key in line for line in lines)] == []
    assert sum(f"{AT[:10]} {AT[11:16]} by run-1" in line for line in lines) == 5
    assert ("— " in lines[0], lines[0].endswith("…")) == ((False, False) if width == 60 else (True, True))
    assert width == 60 or max(map(len, lines)) == width


def test_the_folder_of_the_warehouse_is_not_made(aqi: Aqi) -> None:
    aqi.text("lineage")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        ("metrics", "-o", "file/x.prom"),
        ("metrics", "-o", f"{'x' * 300}.prom"),
        ("runs", "last", "-o", f"{'x' * 300}.svg"),
        ("materialize", EPISODE, "--partitions", "last:1", "--profile-run", "-o", f"{'x' * 300}.svg"),
        ("report", "-o", "file/x.html"),
    ],
    ids=lambda call: call[0],
)
def test_every_command_says_so_before_it_opens_anything(aqi: Aqi, call: tuple[str, ...]) -> None:
    """Neither the profile, which is not there, nor the run is looked for."""
    (aqi.folder / "file").touch()
    profile = () if call[0] == "materialize" else ("--profile", "no/such.yml")
    assert f"{call[-1]} cannot be written (" in aqi.refusal(*call, *profile)[0]

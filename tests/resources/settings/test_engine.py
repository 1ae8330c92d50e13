"""Settings of the engines: which of them it is, what each can be told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.settings.spark_values import SPARK_VALUE_SETTINGS, VALUE_SETTINGS
from tests.support.given_settings import CORRECT, given, profile_file, refusal

ENGINE_REMEDY = "Use --engine spark, or leave engine out."
GOT = "must be spark (got 'embedded')"


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]", "local[2,3]"])
def test_a_local_master_needs_no_spark(master: str) -> None:
    settings = given({"spark": {"master": master}})
    assert (settings.engine, settings.needs_spark) == ("embedded", "")


@pytest.mark.parametrize("master", ["yarn", "spark://host:7077", "k8s://https://host:6443"])
def test_any_other_master_needs_spark(master: str) -> None:
    settings = given({"spark": {"master": master}})
    assert (settings.engine, settings.needs_spark) == ("spark", f"spark.master is {master}")
    told = refusal({"spark": {"master": master}, "engine": "embedded"})
    assert told == (f"the command line: engine: {GOT}: spark.master is {master}", ENGINE_REMEDY)


def test_the_profile_yarn_needs_spark_also_on_a_local_master() -> None:
    settings = given(None, "yarn", AQI_SPARK__MASTER="local[2]", AQI_WAREHOUSE__URI="warehouse")
    assert (settings.engine, settings.needs_spark) == ("spark", "the profile yarn is for Spark on YARN")


def test_an_engine_that_does_not_fit_is_refused_by_where_it_came_from(tmp_path: Path) -> None:
    why = f"engine: {GOT}: spark.master is yarn"
    yarn = {"spark": {"master": "yarn"}}
    profile = profile_file(tmp_path, "engine: embedded")
    assert refusal({"engine": "embedded"}, "yarn") == (f"the command line: {why}", ENGINE_REMEDY)
    assert refusal(yarn, AQI_ENGINE="embedded") == (f"the environment (AQI_ENGINE): {why}", ENGINE_REMEDY)
    assert refusal(yarn, profile) == (f"{profile}: {why}", ENGINE_REMEDY)


@pytest.mark.parametrize("seconds", ["0", "-1", "604801", "1e300"])
def test_a_timeout_that_is_none(seconds: str) -> None:
    message = "embedded.timeout_seconds: must be above 0 and at most 604800 (seven days)"
    where = "the environment (AQI_EMBEDDED__TIMEOUT_SECONDS)"
    told = refusal(AQI_EMBEDDED__TIMEOUT_SECONDS=seconds)
    assert told == (f"{where}: {message} (got {seconds!r})", CORRECT)


@pytest.mark.parametrize("seconds", ["0.5", "604800"])
def test_a_timeout_at_the_bounds(seconds: str) -> None:
    assert given(AQI_EMBEDDED__TIMEOUT_SECONDS=seconds).embedded.timeout_seconds == float(seconds)


@pytest.mark.parametrize(
    ("memory", "bound"), [("511m", "at least 512m"), ("65t", "at most 64t"), ("9" * 40 + "k", "at most 64t")]
)
@pytest.mark.parametrize("key", ["embedded.memory", "spark.driver_memory", "yarn.executor_memory"])
def test_memory_out_of_bounds(key: str, memory: str, bound: str) -> None:
    section, name = key.split(".")
    message = f"the command line: {section}: {name} must be {bound} (got {memory})"
    assert refusal({section: {name: memory}}) == (message, CORRECT)


@pytest.mark.parametrize(("memory", "size"), [("512m", 1 << 29), ("64t", 1 << 46)])
def test_memory_at_the_bounds(memory: str, size: int) -> None:
    assert given({"embedded": {"memory": memory}}).embedded.memory_bytes == size
    spark = given({"spark": {"driver_memory": memory}, "yarn": {"executor_memory": memory}})
    assert (spark.spark.driver_memory, spark.yarn.executor_memory, spark.heap_bytes) == (memory, memory, size)


@pytest.mark.parametrize(("driver", "executor", "heap"), [("1g", "2g", 1 << 30), ("4g", "2g", 2 << 30)])
def test_the_heap_on_yarn_is_the_smaller_one(driver: str, executor: str, heap: int) -> None:
    memory = {"spark": {"driver_memory": driver}, "yarn": {"executor_memory": executor}}
    assert given(memory, "yarn").heap_bytes == heap
    assert given(memory).heap_bytes == int(driver[0]) << 30


@pytest.mark.parametrize(
    ("name", "value", "stays"),
    [
        ("spark.sql.ansi.enabled", "false", "true"),
        ("spark.sql.parquet.outputTimestampType", "INT96", "TIMESTAMP_MICROS"),
        ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS"),
        ("spark.sql.legacy.timeParserPolicy", "LEGACY", "CORRECTED or EXCEPTION"),
        ("spark.sql.legacy.timeParserPolicy", "legacy", "CORRECTED or EXCEPTION"),
    ],
)
def test_a_setting_of_spark_that_would_make_other_rows(name: str, value: str, stays: str) -> None:
    told = refusal({"spark": {"conf": {name: value}}})
    message = f"the command line: spark: conf: {name} must stay {stays}: another value would make other rows"
    assert told == (message, CORRECT)


@pytest.mark.parametrize("value", ["CORRECTED", "exception"])
def test_how_times_are_read_may_be_said_where_that_is_no_other_way(value: str) -> None:
    conf = {"spark.sql.legacy.timeParserPolicy": value, "spark.sql.parquet.outputTimestampType": "timestamp_micros"}
    assert given({"spark": {"conf": conf}}).spark.conf == conf


def test_the_embedded_session_is_not_told_what_only_spark_knows() -> None:
    assert SPARK_VALUE_SETTINGS.keys() == {"spark.sql.parquet.outputTimestampType"}
    assert not SPARK_VALUE_SETTINGS.keys() & VALUE_SETTINGS.keys()


# --- the folder of a warehouse --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "signs", "remedy"),
    [
        *[(f"a{sign}b", sign, "Use another folder, or --engine spark.") for sign in "*?{}"],
        *[(f"a{sign}b", sign, "Use another folder.") for sign in "[]%^|\\"],
        ("a[1]*", "* [ ]", "Use another folder."),
    ],
)
def test_a_folder_that_would_be_taken_for_a_pattern(tmp_path: Path, name: str, signs: str, remedy: str) -> None:
    folder = tmp_path / name / "warehouse"
    message = (
        f"the environment (AQI_WAREHOUSE__URI): warehouse.uri: the engine embedded takes no folder with {signs} in its "
        f"path ({folder})"
    )
    of_either = [sign for sign in signs.split() if sign not in "*?{}"]
    for uri in (str(folder), f"file://{folder}"):
        assert refusal(AQI_WAREHOUSE__URI=uri) == (message, remedy)
        if of_either:
            said = f"the engine spark takes no folder with {' '.join(of_either)} in its path ({folder})"
            found = refusal(AQI_WAREHOUSE__URI=uri, AQI_ENGINE="spark")
            assert found == (f"the environment (AQI_WAREHOUSE__URI): warehouse.uri: {said}", "Use another folder.")
        else:
            assert given(AQI_WAREHOUSE__URI=uri, AQI_ENGINE="spark").warehouse.uri == uri


def test_the_folder_is_the_one_that_a_relative_path_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "a[b"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    assert f"with [ in its path ({here}/warehouse)" in refusal()[0]
    monkeypatch.chdir(tmp_path)
    assert given().engine == "embedded"
    assert f"with [ in its path ({here}/warehouse)" in refusal(AQI_WAREHOUSE__URI="link/warehouse")[0]


@pytest.mark.parametrize("name", ["a b", "a#b", "a+b", "a&b", "a:b", "a,b", "a=b", "a'b", "a~b", "ü", "~"])
def test_a_folder_with_other_signs(name: str) -> None:
    assert given(AQI_WAREHOUSE__URI=name).warehouse.uri == name


def test_a_folder_that_cannot_be_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for uri in ("~no-such-user/warehouse", str(tmp_path / "loop" / "warehouse")):
        message, remedy = refusal(AQI_WAREHOUSE__URI=uri)
        assert message.startswith("the environment (AQI_WAREHOUSE__URI): warehouse.uri: is no folder (")
        assert remedy == "Use another folder."

"""A warehouse that is not where a command looks for it: the whole path is said, and what reads is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli_calls import DAILY, Aqi

READING = (
    "status",
    f"show {DAILY}",
    "freshness",
    "checks",
    "metrics",
    "runs",
    "runs last",
    "report -o report.html",
    "repair --yes",
    "repair --rebuild --yes",
    "wipe * --partitions 2025-08-18 --yes",
    f"verify {DAILY} --partitions 2025-08-18",
    "maintenance",
    f"accept {DAILY}",
    f"migrate {DAILY}",
    "location rename hanoi ha-noi --yes",
    "plan --changed",
    f"plan --if {DAILY}",
)


@pytest.mark.parametrize("call", READING)
def test_what_reads_is_refused_with_the_whole_path(aqi: Aqi, call: str) -> None:
    error, remedy = aqi.refusal(*call.split(), AQI_WAREHOUSE__URI="here/wharehouse")
    assert error == f"there is no warehouse at {aqi.folder}/here/wharehouse: nothing is there"
    assert "'here/wharehouse', from the folder in which the command is called" in remedy
    assert "`aqi materialize` makes one here" in remedy


def test_a_mistyped_path_is_told_with_the_one_beside_it(aqi: Aqi, lake: str) -> None:
    shutil.copytree(lake, aqi.folder / "air-2025")
    (aqi.folder / "air-2026").mkdir()  # which is none
    _, remedy = aqi.refusal("status", AQI_WAREHOUSE__URI=str(aqi.folder / "air-2052"))
    assert remedy == f"Did you mean {aqi.folder}/air-2025? Name it in AQI_WAREHOUSE__URI, or warehouse.uri."


@pytest.mark.parametrize(
    ("there", "told"),
    [("empty", "the folder is empty"), ("other", "other things are there"), ("file", "Not a directory")],
)
def test_what_is_there_instead_is_said(aqi: Aqi, there: str, told: str) -> None:
    (aqi.folder / "empty").mkdir()
    (aqi.folder / "other" / "photos").mkdir(parents=True)
    (aqi.folder / "file").touch()
    assert told in aqi.refusal("status", AQI_WAREHOUSE__URI=there)[0]


def test_other_ways_to_name_a_folder_are_the_same_folder(aqi: Aqi, lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(lake).parent))
    expected = aqi.json("status", AQI_WAREHOUSE__URI=lake)
    for uri in (f"file:{lake}", f"file://{lake}", f"file://localhost{lake}", f"~/{Path(lake).name}", f"{lake}/."):
        assert aqi.json("status", AQI_WAREHOUSE__URI=uri) == expected, uri
    assert str(Path(lake).parent / "nothing") in aqi.refusal("status", AQI_WAREHOUSE__URI="~/nothing")[0]


@pytest.mark.parametrize("uri", ["hdfs:/air", "file:air", "file://air/x", "htfs://nn/air"])
def test_what_is_no_uri_is_refused_and_makes_no_folder_of_that_name(aqi: Aqi, uri: str) -> None:
    for call in (["status"], ["materialize", "gold.dim_time"]):
        assert "warehouse.uri: must" in aqi.refusal(*call, AQI_WAREHOUSE__URI=uri)[0]


@pytest.mark.costly
def test_hdfs_that_does_not_answer_is_told_by_its_address(aqi: Aqi) -> None:
    error, _ = aqi.refusal("status", AQI_WAREHOUSE__URI="hdfs://127.0.0.1:9/air")
    assert "hdfs://127.0.0.1:9/air" in error


def test_a_plan_says_where_a_run_would_make_it(aqi: Aqi, lake: str) -> None:
    call = ("plan", "gold.dim_location")
    told = f"There is no warehouse at {aqi.folder}/new yet: a run makes it there."
    assert told in aqi.text(*call, AQI_WAREHOUSE__URI="new").splitlines()
    assert aqi.json(*call, AQI_WAREHOUSE__URI="new")["steps"]
    assert "There is no warehouse" not in aqi.text(*call, AQI_WAREHOUSE__URI=lake)


@pytest.mark.engine
@pytest.mark.prefect
def test_a_run_says_where_it_makes_a_new_one(aqi: Aqi, server: str) -> None:
    call = ("materialize", "gold.dim_location")
    made = aqi.process(*call, AQI_WAREHOUSE__URI="new", PREFECT_API_URL=server)
    assert made.returncode == 0, made.stderr
    told = f"There is no warehouse at {aqi.folder}/new yet: a run makes it there."
    assert f"warning {told}" in made.stderr.replace("\n", " ")
    assert aqi.json("status", "gold.dim_location", AQI_WAREHOUSE__URI="new")[0]["state"] == "fresh"

"""What `aqi doctor` finds."""

from __future__ import annotations

import pytest

from orchestration.core.errors import DeclarationError
from orchestration.engine.project import Project
from orchestration.reports.doctor import examine
from tests.support.cli_calls import Aqi, tree
from tests.support.this_machine import taken_port


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


def test_the_doctor_tells_of_a_wrong_configuration(aqi: Aqi) -> None:
    found = aqi.json("doctor", status=1, AQI_WAREHOUSE__URL="x")
    assert found[-1] == {
        "what": "configuration",
        "ok": False,
        "found": "the environment (AQI_WAREHOUSE__URL): unknown key 'warehouse.url'",
        "remedy": "Did you mean 'uri'?",
    }


@pytest.mark.parametrize("uri", ["file", "file/below"])
def test_the_doctor_tells_of_a_warehouse_that_cannot_be_written(aqi: Aqi, uri: str) -> None:
    (aqi.folder / "file").touch()
    findings = {item["what"]: item for item in aqi.json("doctor", status=1, AQI_WAREHOUSE__URI=uri)}
    assert not findings["warehouse"]["ok"]
    assert "AQI_WAREHOUSE__URI" in findings["warehouse"]["remedy"]


def test_the_doctor_tells_of_a_wrong_declaration_and_goes_on() -> None:
    def wrong() -> Project:
        raise DeclarationError("asset gold.x: its source 'y' is unknown", "Known sources are z.")

    found = {one.what: one for one in examine(wrong, None)}
    assert list(found) == ["Python", "Java", "Java libraries", "assets and contracts", "Prefect"]
    assert (found["assets and contracts"].ok, found["assets and contracts"].remedy) == (False, "Known sources are z.")

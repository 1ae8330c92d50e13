"""What `aqi doctor` finds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version

import pytest

from orchestration.core.errors import DeclarationError, MachineError
from orchestration.engine.project import Project
from orchestration.reports.doctor import examine, examine_engines
from tests.support.cli_calls import Aqi, tree
from tests.support.this_machine import fake_java, taken_port


def test_doctor_as_json(aqi: Aqi) -> None:
    before = tree(aqi.folder)
    found = {item.pop("what"): item for item in aqi.json("doctor", "--offline")}
    assert all(set(item) == {"ok", "found", "remedy"} for item in found.values())
    assert all(item["ok"] for item in found.values())
    assert found["embedded engine"]["found"] == f"pysail {version('pysail')}"
    assert found["memory"]["found"].startswith("1g for the embedded engine, of ")
    assert found["scratch disk"]["found"].startswith(f"{aqi.folder}/warehouse/_aqi/scratch, ")
    assert found["configuration"]["found"] == "profile local, engine embedded"
    assert found["assets and contracts"] == {"ok": True, "found": "10 assets, 10 contracts", "remedy": ""}
    assert found["warehouse"]["ok"] is True
    assert found["Prefect"]["ok"] is True
    assert found["source"]["found"] == "http://127.0.0.1:9 (not asked)"
    assert tree(aqi.folder) == before


@pytest.mark.costly
def test_doctor_for_people(aqi: Aqi) -> None:
    with taken_port() as port:
        url = f"http://127.0.0.1:{port}/api"
    result = aqi.process("doctor", PREFECT_API_URL=url)  # which Prefect's client, once it is loaded, does not forget
    assert (result.returncode, result.stderr) == (1, "")
    assert f"FAULT  Prefect: {url} does not answer (ConnectionError)\n       → Start it" in result.stdout
    assert "ok     Java: none; only Spark needs it (make setup-spark)\n" in result.stdout


@pytest.mark.parametrize("java", ["no-java", "java-11.0.2"])
def test_java_is_a_fault_where_spark_is_the_engine_and_a_note_elsewhere(aqi: Aqi, java: str) -> None:
    fake_java(aqi.folder, "11.0.2")
    home = str(aqi.folder / java)
    assert {item["what"]: item for item in aqi.json("doctor", "--offline", JAVA_HOME=home)}["Java"] == {
        "what": "Java",
        "ok": True,
        "found": "none; only Spark needs it (make setup-spark)",
        "remedy": "",
    }
    found = {item["what"]: item for item in aqi.json("doctor", status=1, JAVA_HOME=home, AQI_ENGINE="spark")}
    assert (found["Java"]["ok"], home in found["Java"]["found"]) == (False, True)
    assert found["embedded engine"]["ok"]
    assert "memory" not in found


def test_java_libraries_are_a_fault_where_spark_is_the_engine(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.spark.driver.JARS_FOLDER", aqi.folder / "java")
    by_what = {one.what: one for one in examine_engines("spark")}
    assert (by_what["Java libraries"].ok, by_what["Java libraries"].remedy) == (
        False,
        "Run `make setup-spark`; it fetches them.",
    )
    for engine in ("embedded", ""):
        by_what = {one.what: one for one in examine_engines(engine)}
        assert by_what["Java libraries"].in_words() == (
            "ok     Java libraries: none; only Spark needs them (make setup-spark)"
        )


def _not_installed() -> str:
    raise MachineError("the embedded engine (pysail) is not installed", "Run `make setup`.")


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        (_not_installed, "the embedded engine (pysail) is not installed"),
        (lambda: "0.0.1", f"pysail 0.0.1, but {version('pysail')} is the one that was tested"),
    ],
)
def test_pysail_is_a_fault_where_it_is_the_engine(
    monkeypatch: pytest.MonkeyPatch, installed: Callable[[], str], told: str
) -> None:
    monkeypatch.setattr("orchestration.reports.doctor.check_installed", installed)
    found = examine_engines("embedded")[0]
    assert (found.what, found.ok, found.found, found.remedy) == ("embedded engine", False, told, "Run `make setup`.")
    assert examine_engines("spark")[0].found == "none; only `engine: embedded` needs it (make setup)"


def test_a_pysail_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysail", None)
    found = examine_engines("embedded")[0]
    assert (found.ok, "cannot be loaded" in found.found, "glibc" in found.remedy) == (False, True, True)


def test_more_memory_than_the_machine_has(aqi: Aqi) -> None:
    found = {item["what"]: item for item in aqi.json("doctor", status=1, AQI_EMBEDDED__MEMORY="64t")}
    assert not found["memory"]["ok"]
    assert "AQI_EMBEDDED__MEMORY" in found["memory"]["remedy"]


@pytest.mark.parametrize("engine", ["embedded", "spark"])
def test_a_disk_without_room_for_scratch(aqi: Aqi, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """On either engine, since both evaluate into files beside a local warehouse."""
    usage = shutil.disk_usage(aqi.folder)._replace(free=1 << 30)
    monkeypatch.setattr("orchestration.reports.folders.shutil.disk_usage", lambda _: usage)
    found = {item["what"]: item for item in aqi.json("doctor", status=1, AQI_ENGINE=engine)}
    assert found["scratch disk"] == {
        "what": "scratch disk",
        "ok": False,
        "found": f"{aqi.folder}/warehouse/_aqi/scratch: only 1.0 GiB are free",
        "remedy": "Make room: at least 2 GiB.",
    }


def test_scratch_that_is_not_on_a_disk_of_this_machine(aqi: Aqi) -> None:
    found = {item["what"] for item in aqi.json("doctor", status=1, AQI_PROFILE="yarn", HADOOP_CONF_DIR="/nowhere")}
    assert "scratch disk" not in found


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
    engines = ["embedded engine", "Java", "Java libraries"]
    looked_at = [what for what in found if not what.startswith(("variable ", "shell"))]
    assert looked_at == ["Python", *engines, "assets and contracts", "Prefect"]
    assert all(found[what].ok for what in engines)
    assert (found["assets and contracts"].ok, found["assets and contracts"].remedy) == (False, "Known sources are z.")

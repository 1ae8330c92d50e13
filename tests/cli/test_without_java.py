"""What needs no JVM does without, the whole pipeline too; what needs one says so before anything is done."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from assets import CATALOG
from tests.support.cli_calls import EPISODE, Aqi
from tests.support.setup_script import ROOT
from tests.support.this_machine import fake_java

NO_JAVA = {"JAVA_HOME": "", "PATH": "/nowhere"}


@pytest.mark.parametrize(
    "call",
    [("plan", "*", "--partitions", "last:1"), ("status",), ("lineage",), ("show", EPISODE, "--format", "csv")],
    ids=lambda call: call[0],
)
def test_what_needs_no_jvm_does_without(aqi: Aqi, lake: str, call: tuple[str, ...]) -> None:
    text = aqi.text(*call, AQI_WAREHOUSE__URI=lake, PATH="/nowhere")
    assert EPISODE in text or "AQI>=151_4h" in text


@pytest.mark.prefect
def test_the_demo_needs_no_java(aqi: Aqi) -> None:
    """All tables, made by a command that finds no program on its PATH."""
    done = aqi.process("demo", "--days", "2", "--warehouse", "made", **NO_JAVA)
    first, *_ = done.stderr.splitlines()
    assert (
        first.startswith("Making ") and f" of the last 2 days in {aqi.folder}/made, from a bundled simulator" in first
    )
    assert "warning" not in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CATALOG)} tables in {aqi.folder}/made (made-up values" in done.stdout
    assert aqi.process("doctor", "--offline", AQI_WAREHOUSE__URI="made", **NO_JAVA).returncode == 0


@pytest.mark.parametrize(
    ("target", "java"),
    [("setup", False), ("demo", False), ("test-fast", False), ("lint", False), ("setup-spark", True), ("test", True)],
)
def test_what_make_asks_for(target: str, java: bool) -> None:
    """As `make -n` says it: the set-up of a target that needs Python alone has no word of Java."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("there is no make")
    done = subprocess.run([make, "-C", str(ROOT), "-n", target], capture_output=True, text=True, check=True, timeout=60)
    asked = [line for line in done.stdout.splitlines() if "scripts/" in line]
    assert asked
    assert any(word in line for line in asked for word in ("--spark", "--java", "class_archive")) is java


@pytest.fixture
def _prefect_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `aqi materialize` sets for Prefect in the environment ends with the test."""
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    monkeypatch.setenv("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")


@pytest.mark.usefixtures("_prefect_as_it_was")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_spark_without_java(aqi: Aqi, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before anything is done: there is no warehouse and no log afterwards."""
    monkeypatch.setenv("AQI_ENGINE", "spark")
    place, remedy = aqi.refusal("materialize", "gold.dim_date", *options)
    assert place == f"there is no Java in JAVA_HOME ({aqi.folder / 'no-java'})"
    assert "Java 17" in remedy
    place, remedy = aqi.refusal("materialize", "gold.dim_date", *options, **NO_JAVA)
    assert place == "there is no Java in PATH"
    assert "Java 17" in remedy


@pytest.mark.costly
def test_a_java_that_is_too_old(aqi: Aqi) -> None:
    java = fake_java(aqi.folder, "11.0.2")
    place, remedy = aqi.refusal("materialize", "gold.dim_date", in_process=False, JAVA_HOME=java, AQI_ENGINE="spark")
    assert place == f"Java 11.0.2 ({java}/bin/java) is too old: Spark needs 17 or newer"
    assert "JAVA_HOME" in remedy

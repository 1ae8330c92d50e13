"""What needs no JVM does without; what needs one says so before anything is done."""

from __future__ import annotations

import pytest

from tests.support.cli_calls import EPISODE, Aqi
from tests.support.this_machine import fake_java


@pytest.mark.parametrize(
    "call",
    [("plan", "*", "--partitions", "last:1"), ("status",), ("lineage",), ("show", EPISODE, "--format", "csv")],
    ids=lambda call: call[0],
)
def test_what_needs_no_jvm_does_without(aqi: Aqi, lake: str, call: tuple[str, ...]) -> None:
    text = aqi.text(*call, AQI_WAREHOUSE__URI=lake, PATH="/nowhere")
    assert EPISODE in text or "AQI>=151_4h" in text


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

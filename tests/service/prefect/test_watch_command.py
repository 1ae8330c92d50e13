"""The command `aqi watch`: one look, a test of the channels, and the process that goes on."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.cli.app import main
from orchestration.core.alerts.incident_words import command_to_run
from tests.support.aqi_process import AQI
from tests.support.watching import Place, states, until

pytestmark = pytest.mark.prefect

FACT = "gold.fact_city_daily"


Call = Callable[..., Result]


@pytest.fixture
def aqi(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    profile = tmp_path / "profile.yml"
    profile.write_text(json.dumps(place.flags))
    monkeypatch.setenv("PREFECT_API_URL", place.server.api_url)
    return lambda *args, **env: CliRunner().invoke(main, ["watch", "--profile", str(profile), *args], env=env)


def test_the_command(place: Place, aqi: Call) -> None:
    result = aqi("--test")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["email: ok", "webhook team: ok", "webhook log: ok"]
    assert place.arrived() == ["a test of this channel"]
    place.run(states().Failed(message="no answer"))
    result = aqi("--once", "--json")  # nothing was ever made: the targets are missed too
    assert result.exit_code == 1
    incidents = {item["key"]: item for item in json.loads(result.stdout)}
    assert incidents[f"run:{place.deployment}"]["kind"] == "failed"
    [late] = (item for item in incidents.values() if item["kind"] == "freshness")
    assert FACT in late["title"], "all of them for one reason"
    assert all(set(item) == {"key", "kind", "title", "text", "since"} for item in incidents.values())
    subjects = place.arrived()
    assert len(subjects) == len(incidents)
    for title in subjects:
        assert f"email: began: [aqi {place.environment}] {title}" in result.stderr.splitlines()
    result = aqi("--once")
    assert (result.exit_code, place.arrived()) == (1, [])
    assert "  Why:\n    no answer\n" in result.stdout
    place.mail.stop()
    result = aqi("--test")
    assert result.exit_code == 1
    assert "email: failed: the mail server" in result.stdout
    assert "webhook log: ok" in result.stdout


def test_calls_that_are_refused(place: Place, aqi: Call) -> None:
    nobody = {"AQI_ALERTS__EMAIL": "", "AQI_ALERTS__WEBHOOKS__TEAM": "", "AQI_ALERTS__WEBHOOKS__LOG": ""}
    for call in ((), ("--test",)):
        result = aqi(*call, **nobody)
        assert result.exit_code == 2
        assert "AQI_ALERTS__EMAIL__HOST" in result.stderr
        assert "form: slack" in result.stderr
    assert aqi("--json").exit_code == aqi("--test", "--once").exit_code == 2


def test_one_look_without_channels_remembers_nothing(place: Place, aqi: Call) -> None:
    nobody = {"AQI_ALERTS__EMAIL": "", "AQI_ALERTS__WEBHOOKS__TEAM": "", "AQI_ALERTS__WEBHOOKS__LOG": ""}
    place.run(states().Failed())
    for _ in range(2):
        result = aqi("--once", **nobody)
        assert result.exit_code == 1
        assert (
            f"no channel is configured (alerts), so nobody is told: [aqi {place.environment}] {place.deployment} failed"
            in result.stderr
        )
        assert f"{place.deployment} failed (since" in result.stdout
    assert not place.state_file.parent.exists()
    aqi("--once")
    assert f"{place.deployment} failed" in place.arrived()
    memory = place.state_file.read_bytes()
    place.run(states().Completed())
    assert f"{place.deployment} failed" not in aqi("--once", **nobody).stdout
    assert place.state_file.read_bytes() == memory


def test_the_command_as_a_process_of_its_own(place: Place, tmp_path: Path) -> None:
    """It looks again and again, says what it sent and nothing else, and ends well with Ctrl-C."""
    profile, log = tmp_path / "profile.yml", tmp_path / "log"
    profile.write_text(json.dumps({**place.flags, "alerts": {**place.flags["alerts"], "every_seconds": 0.2}}))
    env = {**place.server.env, "XDG_STATE_HOME": str(tmp_path / "state")}
    with log.open("w") as output:
        watching = subprocess.Popen(
            [AQI, "watch", "--profile", profile], env=env, stdout=output, stderr=output, cwd=tmp_path
        )
    try:
        until(lambda: len(place.hook.bodies) == 2)  # all tables with a target are late for one reason
        for state, name in ((states().Crashed(), "crashed"), (states().Completed(), "has completed again")):
            place.mail.mails.clear()
            place.hook.bodies.clear()
            place.run(state)
            until(lambda: len(place.hook.bodies) == 2)
            assert place.arrived() == [f"{place.deployment} {name}"]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    finally:
        watching.kill()
        watching.wait()
    said = log.read_text().splitlines()
    assert said[0] == "looks every 0.2 s, tells email, webhook team, webhook log (Ctrl-C ends it)"
    assert len(said) == 1 + 3 * (1 + 2)


values = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.lists(st.text(max_size=3), max_size=2)
values |= st.sampled_from(
    ["*", "layer:bronze", "2025-08-08..2025-08-14", "2025-08", "last:2", "true", "null", "07", "-1"]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["selection", "partitions", "hourly"]), values))
def test_prefect_reads_the_parameters_of_a_command_as_they_were(parameters: dict[str, Any]) -> None:
    from prefect.cli._utilities import load_json_key_values

    words = shlex.split(command_to_run("flow/name", parameters))
    assert words[:4] == ["prefect", "deployment", "run", "flow/name"]
    assert words[4::2] == ["--param"] * len(parameters)
    assert load_json_key_values(words[5::2], "parameter") == parameters

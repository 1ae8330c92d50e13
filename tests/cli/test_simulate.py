"""The simulated API on the command line."""

from __future__ import annotations

import signal
import subprocess

import pytest
import requests

from tests.support.aqi_process import AQI
from tests.support.cli_calls import Aqi
from tests.support.this_machine import taken_port


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

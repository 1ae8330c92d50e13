"""Events of whole runs of the command: an interrupt, a key that stays secret, what is refused before any work."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets import CATALOG
from resources.machine.clock import system_clock
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.aqi_process import AQI, ROOT, Commands
from tests.support.cli_calls import Aqi
from tests.support.lineage_receiver import Receiver
from tests.support.openlineage_schemas import problems
from tests.support.watching import until

KEY = "s3cret-of-the-receiver"
CALL = ("materialize", "*", "--partitions", "2025-03-01", "--locations", "hanoi")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def said(server: str, receiver: Receiver) -> dict[str, str]:
    """The variables that OpenLineage's clients have, too."""
    return {
        "PREFECT_API_URL": server,
        "OPENLINEAGE_URL": receiver.url,
        "OPENLINEAGE_API_KEY": KEY,
        "AQI_OPENLINEAGE__TIMEOUT_SECONDS": "60",
    }


@pytest.mark.engine
@pytest.mark.prefect
def test_the_key_is_nowhere_but_in_the_request(said: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    """Neither where it arrives, nor where it is refused: not printed, and in no file."""
    with Simulator(now=system_clock, injected=False) as source:
        commands = Commands(tmp_path, tmp_path / "lake", source.url, said)
        done = commands(*CALL)
        receiver.status = 401
        refused = commands(*CALL, "--force", "--json")
    assert done.returncode == 0, done.stderr
    assert (receiver.events[0]["eventType"], receiver.events[-1]["eventType"]) == ("START", "COMPLETE")
    assert [wrong for event in receiver.events for wrong in problems(event)] == []
    assert set(receiver.keys) == {f"Bearer {KEY}"}
    assert refused.returncode == 0, refused.stderr
    assert "events of lineage did not arrive: it answers 401" in refused.stderr
    assert KEY not in done.stdout + done.stderr + refused.stdout + refused.stderr + str(receiver.events)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


@pytest.mark.engine
@pytest.mark.prefect
def test_an_interrupted_run_says_so(said: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    """It waits for its source, which is overloaded: when it is interrupted, no step can be done but of dimensions."""
    said["AQI_OPEN_METEO__BACKOFF_SECONDS"] = "60"
    with Simulator(now=system_clock, injected=False, faults=[Fault("overload")]) as source:
        commands = Commands(tmp_path, tmp_path / "lake", source.url, said)
        with subprocess.Popen([AQI, *CALL], env=commands.env, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            until(lambda: source.requests_served["overload"] or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
    assert [wrong for event in receiver.events for wrong in problems(event)] == []
    assert receiver.of("materialize") == ["START", "ABORT"]
    jobs = {event["job"]["name"] for event in receiver.events} - {"materialize"}
    assert jobs == {*CATALOG.keys}
    alone = {key for key in jobs if not CATALOG.dag.upstream(key) and CATALOG[key].source is None}
    for job in jobs:
        assert receiver.of(job)[0] == "START"
        assert receiver.of(job)[1:] in (["ABORT"], *([["COMPLETE"]] if job in alone else [])), job


@pytest.mark.parametrize("call", [CALL, ("status",), ("plan", "*", "--partitions", "last:1")], ids=lambda call: call[0])
def test_a_wrong_address_is_refused(aqi: Aqi, call: tuple[str, ...]) -> None:
    place, remedy = aqi.refusal(*call, OPENLINEAGE_URL="lineage.example.org")
    said = "openlineage.url: must start with http:// or https:// (got 'lineage.example.org')"
    assert place == f"the environment (OPENLINEAGE_URL): {said}"
    assert remedy == "Correct the value."


def test_a_file_that_cannot_be_written_is_found_before_work(aqi: Aqi) -> None:
    place, _ = aqi.refusal(*CALL, AQI_OPENLINEAGE__FILE="no/events.jsonl")
    assert place == "openlineage.file: no/events.jsonl has no folder"

"""Whole commands where a user, a stream or a file is missing that others take for granted: a line, and no traceback."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from resources.machine import standard_output
from tests.support.aqi_process import AQI
from tests.support.cli_calls import Aqi

pytestmark = pytest.mark.engine  # processes of their own

MAKE = ("materialize", "gold.dim_location")


def called(folder: Path, *call: str, before: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """A call from a shell without HOME. before: what the shell does first."""
    code = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    env = {"PATH": os.environ["PATH"], "AQI_WAREHOUSE__URI": str(folder / "lake"), **code, **variables}
    shell = ["sh", "-c", f'{before or ":"}; exec "$@"', "sh"]
    return subprocess.run(
        [*shell, *call], env=env, cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("call", [MAKE, ("doctor", "--offline"), ("worker", "start")])
def test_a_user_whom_the_machine_does_not_know(tmp_path: Path, call: tuple[str, ...]) -> None:
    """As a container that is told to run as some number."""
    stranger = ("unshare", "--user", "--map-user=12345")
    if shutil.which("unshare") is None or called(tmp_path, *stranger, "true").returncode:
        pytest.skip("this machine lets nobody be another user")
    done = called(tmp_path, *stranger, str(AQI), *call)
    said = "HOME is not set, and this machine knows no home folder of user 12345"
    assert said in done.stdout + done.stderr
    assert "Set HOME to a folder" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if call[0] == "doctor" else 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["/proc/nope", "file"])
def test_a_state_folder_that_cannot_be_made_is_told_before_any_work(aqi: Aqi, tmp_path: Path, state: str) -> None:
    (tmp_path / "file").touch()
    folder = state if state.startswith("/") else str(tmp_path / state)
    place, remedy = aqi.refusal(*MAKE, in_process=False, XDG_STATE_HOME=folder)
    assert place.startswith(f"the state folder {folder}/aqi cannot be written (")
    assert "XDG_STATE_HOME" in remedy
    found = {item["what"]: item for item in aqi.json("doctor", "--offline", status=1, XDG_STATE_HOME=folder)}
    assert (found["state folder"]["ok"], found["state folder"]["found"]) == (False, place)


WRONG = (
    ({"PREFECT_CLIENT_MAX_RETRIES": "s3cret"}, "PREFECT_CLIENT_MAX_RETRIES (Input should be a valid integer"),
    ({"SSL_CERT_FILE": "/nope/c.pem"}, "SSL_CERT_FILE: certificates cannot be read in /nope/c.pem (No such file"),
    ({"PREFECT_LOGGING_LEVEL": "bogus"}, "PREFECT_LOGGING_LEVEL (Input should be 'DEBUG'"),
    ({"PREFECT_CLIENT_CUSTOM_HEADERS": "s3cret"}, "PREFECT_CLIENT_CUSTOM_HEADERS (it cannot be read as JSON)"),
    ({"PREFECT_SERVER_DATABASE_ECHO": "bogus"}, "PREFECT_SERVER_DATABASE_ECHO (Input should be a valid boolean"),
    ({"PREFECT_API_URL": "http://me:s3cret@[::1/api"}, "PREFECT_API_URL is no address of a server"),
    ({"PREFECT_API_URL": "nonsense"}, "PREFECT_API_URL is no address of a server"),
    ({"SSL_CERT_FILE": __file__}, "(it has no certificate)"),
)
"""Variables, and what is said of them; the first two are tried by `make test`."""


@pytest.mark.parametrize(
    ("variables", "said"), [*WRONG[:2], *(pytest.param(*one, marks=pytest.mark.slow) for one in WRONG[2:])]
)
def test_what_prefect_would_fail_at_is_refused_by_name(aqi: Aqi, variables: dict[str, str], said: str) -> None:
    place, remedy = aqi.refusal(*MAKE, in_process=False, **variables)
    assert said in place
    assert "s3cret" not in place + remedy
    doctor = aqi.process("doctor", "--offline", **variables)
    assert (doctor.returncode, doctor.stderr, said in doctor.stdout) == (1, "", True)


def test_certificates_of_the_source_that_are_not_there(aqi: Aqi) -> None:
    source = {"AQI_OPEN_METEO__BASE_URL": "https://source.invalid", "REQUESTS_CA_BUNDLE": "/nope/c.pem"}
    days = ("--partitions", "2025-08-08")
    place, remedy = aqi.refusal("materialize", "*", *days, in_process=False, **source)
    assert "REQUESTS_CA_BUNDLE: certificates cannot be read in /nope/c.pem" in place
    assert "unset REQUESTS_CA_BUNDLE" in remedy


@pytest.mark.parametrize("closed", ["exec 1>&-", "exec 2>&-", "exec 0<&- 1>&- 2>&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    """No file that is opened becomes one of them: the output is in none of the warehouse's."""
    done = called(tmp_path, str(AQI), "doctor", "--offline", before=closed, HOME=str(tmp_path))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


FULL = "error: standard output cannot be written (No space left on device)"
READS = (
    *("status", "show gold.fact_city_daily", "runs", "checks", "config", "lineage", "freshness", "metrics"),
    *("plan gold.dim_time", "doctor --offline", "show --help", "--version", "location"),
)
"""Commands that read and print, and what click prints by itself."""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_is_full(tmp_path: Path, unbuffered: str) -> None:
    full = {"before": "exec 1>/dev/full", "HOME": str(tmp_path), "PYTHONUNBUFFERED": unbuffered}
    done = called(tmp_path, str(AQI), "doctor", "--offline", "--json", **full)
    first, remedy = done.stderr.splitlines()
    assert (done.returncode, first) == (1, FULL)
    assert "Make room where it goes" in remedy


@pytest.mark.slow
@pytest.mark.parametrize("read", READS)
def test_whatever_is_printed_where_nothing_can_be(lake: str, tmp_path: Path, read: str) -> None:
    """Nor where the reader goes after a line: the end is silent then."""
    where = {"HOME": str(tmp_path), "AQI_WAREHOUSE__URI": lake}
    for call in (read.split(), [*read.split(), "--json"]):
        done = called(tmp_path, str(AQI), *call, before="exec 1>/dev/full", **where)
        wrong_call = "Usage:" in done.stderr
        assert (done.returncode, done.stderr.startswith(FULL)) in ((1, True), (2, False)), done.stderr
        assert wrong_call == (done.returncode == 2)
        assert "Traceback" not in done.stderr
        cut = called(tmp_path, "sh", "-c", 'aqi=$1; shift; "$aqi" "$@" | head -1', "sh", str(AQI), *call, **where)
        assert ("Traceback" in cut.stderr, "standard output" in cut.stderr) == (False, False)


def test_a_full_disk_of_a_table_is_none_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the very error that standard output raised is told as that."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raw = standard_output._Raw(os.open("/dev/full", os.O_WRONLY), "w")
    monkeypatch.setattr(standard_output, "_RAW", [raw])
    assert standard_output.output_failure(full) == ""
    with pytest.raises(OSError, match="No space") as found:
        raw.write(b"x")
    assert standard_output.output_failure(full) == ""
    assert standard_output.output_failure(found.value) == "No space left on device"


@pytest.mark.prefect
def test_variables_that_are_no_text_and_of_telemetry(tmp_path: Path, server: str) -> None:
    """Of another encoding, at which the embedded engine would panic; propagators that a platform sets everywhere; a
    home of Prefect's that nobody needs where a server is named."""
    strange = {"NAME_OF_MINE": os.fsdecode(b"H\xe0 N\xf4i"), "OTEL_PROPAGATORS": "tracecontext,b3"}
    strange |= {"PREFECT_HOME": "/proc/nope"}
    done = called(tmp_path, str(AQI), *MAKE, HOME=str(tmp_path), PREFECT_API_URL=server, **strange)
    assert done.returncode == 0, done.stderr
    assert all("There is no warehouse" in line for line in done.stderr.splitlines()), done.stderr

"""A key, a user and a password that the source repeats wherever it can: they are in nothing that is written or told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import quote, unquote, urlsplit

import pytest

from orchestration.cli.app import main
from resources.raw.files import decompressed
from resources.simulator.server import Simulator
from tests.support.aqi_process import Commands
from tests.support.cli_calls import Aqi
from tests.support.planted_secrets import BASIC, KEY, PASSWORD, USER, command_lines, environment, told_in, written_in
from tests.support.prefect_stub import PrefectStub, listening, of_prefect, pool
from tests.support.scripted_api import Reply, _Api

BRONZE = "bronze.open_meteo_hourly"


@pytest.fixture(autouse=True)
def prefect_as_before() -> Iterator[None]:
    """Prefect, once imported, remembers the server that a call here named: later tests would ask that."""
    yield
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


class Repeating(_Api):
    """Answers with what it was asked with. ways: of each request in turn; the last for all that follow."""

    def __init__(self, *ways: str) -> None:
        super().__init__()
        self.ways = list(ways)
        self.asked: list[str] = []
        self._simulator = Simulator(now=lambda: datetime(2025, 8, 20, 6, tzinfo=UTC))

    def reply(self, path: str) -> Reply:
        self.asked.append(path)
        way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
        asked = path.rpartition("&")[2]
        told = f"{asked} {unquote(asked)} {json.dumps(unquote(asked))} Basic {BASIC} {USER}:{PASSWORD} {path}"
        status, document = self._simulator.answer(urlsplit(path).query)
        for one in document if isinstance(document, list) else [document]:
            one.pop("simulated", None)  # this server does not say so when it is asked for its kind
        if way == "redirect":
            return 303, {"Location": f"http://{USER}:{quote(PASSWORD, safe='')}@customer-x.example{path}"}, b""
        if way == "sentence":
            return 200, {}, f'{{"a": 1Unexpected error while streaming data: {told}'.encode()
        if way == "answer":
            document |= {"asked_with": told}
            return status, {}, json.dumps(document).encode()
        return int(way), {}, json.dumps({"error": True, "reason": told}).encode()

    @property
    def address(self) -> str:
        return self.url.replace("//", f"//{USER}:{quote(PASSWORD, safe='')}@")

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._simulator.stop()


@contextmanager
def repeating(*ways: str) -> Iterator[Repeating]:
    with Repeating(*ways) as api:
        yield api


def env(api: Repeating) -> dict[str, str]:
    return {**source(api.address), "AQI_CLOCK__NOW": "2025-08-20T06:00:00Z"}


def source(address: str) -> dict[str, str]:
    return {"AQI_OPEN_METEO__BASE_URL": address, "AQI_OPEN_METEO__API_KEY": KEY}


@pytest.mark.costly
@pytest.mark.parametrize("way", ["answer", "400", "403", "414", "429", "500", "sentence", "redirect"])
def test_the_doctor(aqi: Aqi, way: str) -> None:
    with repeating(way) as api:
        for args in ([], ["--json"]):
            done = aqi("doctor", *args, **env(api))
            assert done.exit_code == (way != "answer")
            assert told_in(done.stdout, done.stderr) == []
        assert all("of%2Bmine" in path for path in api.asked), "it was sent"
    assert written_in(aqi.folder) == []


def test_what_needs_no_source(aqi: Aqi) -> None:
    (aqi.folder / "warehouse" / "_aqi").mkdir(parents=True)
    with repeating("500") as api:
        for args in (["status"], ["plan", "*", "--partitions", "2025-08-18"], ["lineage", "--format", "openlineage"]):
            done = aqi(*args, **env(api))
            assert done.exit_code == 0, done.stderr
            assert told_in(done.stdout, done.stderr) == []
        assert api.asked == []


@pytest.mark.costly
@pytest.mark.parametrize(
    "wrong",
    [
        {"AQI_OPEN_METEO__BASE_URL": f"https://{USER}:{PASSWORD}@air-quality-api.open-meteo.com"},
        {"AQI_OPEN_METEO__BASE_URL": f"https://{USER}:pa?{PASSWORD}@host"},
        {"AQI_OPEN_METEO__BASE_URL": f"ftp://{USER}:{PASSWORD}@host"},
        {"AQI_OPEN_METEO__BASE_URL": f"{USER}:{PASSWORD}@host"},
        {"AQI_OPEN_METEO__BASE_URL": f"https://host/?apikey={KEY}"},
        {"AQI_OPEN_METEO__BASE_URL": f"https://host:{KEY}"},
        {"AQI_OPEN_METEO__BASE_URL": ""},
        {"AQI_OPEN_METEO__BASE_URL": "https://api.open-meteo.com."},
        {"AQI_OPEN_METEO__ATTEMPTS": "none"},
        {"AQI_OPEN_METEO__API_KEY": f"[{KEY}]"},
        {"AQI_OPEN_METEO__API_KEY": "{a: " + KEY + "}"},
        {"AQI_OPEN_METEO__API_KEYS": KEY},
    ],
)
def test_a_configuration_that_is_refused(aqi: Aqi, wrong: dict[str, str]) -> None:
    environment = {"AQI_OPEN_METEO__API_KEY": KEY, "AQI_OPEN_METEO__BASE_URL": "http://127.0.0.1:9"} | wrong
    for call in (["status"], ["doctor"], ["doctor", "--json"], ["materialize", BRONZE, "--partitions", "2025-08-18"]):
        done = aqi(*call, **environment)
        assert done.exit_code == (1 if call[0] == "doctor" else 2)
        assert "open_meteo" in done.stdout + done.stderr
        assert told_in(done.stdout, done.stderr) == []


def test_a_profile_that_is_no_yaml(aqi: Aqi) -> None:
    (aqi.folder / "mine.yml").write_text(f"open_meteo:\n  api_key: '{KEY}\n  base_url: http://{USER}:{PASSWORD}@h\n")
    for args in (["status"], ["doctor"]):
        done = aqi(*args, "--profile", "mine.yml")
        assert done.exit_code in (1, 2)
        assert "mine.yml: is not YAML" in done.stdout + done.stderr
        assert told_in(done.stdout, done.stderr) == []


NOBODY = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:9"
CALLS = {
    "accept": f"{BRONZE}",
    "backfill": "--start-date 2025-08-01 --end-date 2025-08-02 --dry-run",
    "checks": "gold.fact_city_daily --json",
    "config": "--json",
    "demo": "--warehouse /dev/null/x",
    "doctor": "--json",
    "freshness": "",
    "lineage": "--format openlineage",
    "location": "rename hanoi ha-noi --dry-run",
    "maintenance": "--dry-run",
    "materialize": f"{BRONZE} --partitions 2025-08-18 --dry-run",
    "metrics": "",
    "migrate": f"{BRONZE} --dry-run",
    "new": "asset gold.made_up --dry-run",
    "plan": "* --partitions 2025-08-18",
    "repair": "--dry-run",
    "report": "-o report.html",
    "runs": "--json",
    "show": "gold.dim_time --format csv",
    "simulate": "--fault no-such-fault",
    "status": "--json",
    "verify": f"{BRONZE} --partitions 2025-08-18",
    "wipe": f"{BRONZE} --partitions 2025-08-18 --dry-run",
}
"""A call of every command that says what it found, did or would do; those that a server has to do with are below."""
MORE_CALLS = (
    *("config", "checks", "doctor", "metrics --json", "status", "show gold.fact_city_daily --columns", "runs"),
    *(f"lineage --format {name} -o lineage.{name}" for name in ("html", "json", "mermaid", "text")),
    "new asset gold.made_up --upstream gold.fact_city_daily --dry-run --json",
)
"""Other manners of the same."""
OF_A_SERVER = {"deploy": "--all", "watch": "--once", "materialize": f"{BRONZE} --partitions 2025-08-18"}


def test_every_command_is_called() -> None:
    assert {*CALLS, *OF_A_SERVER, "worker"} == {*main.commands}


@pytest.mark.costly
def test_every_command(aqi: Aqi, lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they come to, with a secret in every setting and variable that may hold one."""
    for name, value in (environment() | source(NOBODY) | {"AQI_WAREHOUSE__URI": lake}).items():
        monkeypatch.setenv(name, value)
    told = {}
    for command, *arguments in [(name, *of.split()) for name, of in CALLS.items()] + [*map(str.split, MORE_CALLS)]:
        done = aqi(command, *arguments)
        assert done.exit_code in (0, 1, 2) and not isinstance(done.exception, Exception), (command, done.exception)
        assert done.output or "-o" in arguments, command
        told |= {command: found} if (found := told_in(done.stdout, done.stderr)) else {}
    assert told == {}
    assert written_in(aqi.folder) == []


def test_what_a_worker_is_started_with(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr("os.execv", lambda _program, arguments: started.extend(arguments))
    with listening(PrefectStub(of_prefect(pool("aqi")))) as server:
        done = aqi("worker", "start", **environment(server.url), **source(NOBODY))
    assert (done.exit_code, "--pool" in started) == (0, True), done.output
    assert told_in(*started, done.output) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(OF_A_SERVER))
def test_a_server_that_does_not_answer(aqi: Aqi, command: str) -> None:
    home = {"PREFECT_HOME": str(aqi.folder / "prefect"), "PREFECT_CLIENT_MAX_RETRIES": "0"}
    with command_lines() as lines:
        done = aqi.process(command, *OF_A_SERVER[command].split(), **environment(), **source(NOBODY), **home)
    assert done.returncode == (1 if command == "watch" else 2)
    assert "Traceback" not in done.stderr
    assert "http://127.0.0.1:9/api" in done.stdout + done.stderr
    assert told_in(done.stdout, done.stderr) == []
    assert lines.seen
    assert lines.told == []
    assert written_in(aqi.folder) == []


WRITTEN = {"home": ("*.db", "state/aqi/logs/*.log"), "warehouse": ("_aqi/runs/*.json", "_aqi/parameters/*.json")}
"""What runs leave, among all else that is looked through."""


def journal(warehouse: Path) -> list[Path]:
    return sorted((warehouse / "_aqi" / "runs").glob("*.json"))


@pytest.mark.slow
def test_runs_with_every_log_at_its_loudest(aqi: Aqi, tmp_path: Path) -> None:
    """Answers are kept, errors are told, Prefect keeps a history of both."""
    loud = {
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "urllib3,requests",
        "AQI_OPEN_METEO__ATTEMPTS": "9",
        "AQI_OPEN_METEO__BACKOFF_SECONDS": "0",
    }
    loud |= environment(prefect=None)
    with repeating("500", "sentence", "200", "answer", "sentence") as api, command_lines() as lines:
        run = Commands(tmp_path / "home", tmp_path / "warehouse", api.address, env(api) | loud)
        made = run("materialize", BRONZE, "--partitions", "2025-08-18", "--locations", "hanoi")
        assert made.returncode == 0, made.stderr
        failed = [run("materialize", BRONZE, "--partitions", "2025-08-17")]
        api.ways[:] = ["redirect"]
        failed.append(run("materialize", BRONZE, "--hourly", "--json"))
        assert [done.returncode for done in failed] == [1, 1]
        assert len(api.asked) >= 4 + 9 + 1
        texts = [text for done in (made, *failed) for text in (done.stdout, done.stderr)]
        where = {"AQI_WAREHOUSE__URI": str(tmp_path / "warehouse"), "XDG_STATE_HOME": str(run.home / "state")}
        calls = ["runs", "runs --json", "status --json", "metrics", f"show {BRONZE} --raw --partitions 2025-08-18"]
        calls += ["report -o report.html", "lineage --json", "checks --json", "config", "config --json"]
        calls += [f"runs {path.stem}{how}" for path in journal(tmp_path / "warehouse") for how in ("", " --json")]
        assert len(calls) >= 10 + 2 * len(failed)
        for args in map(str.split, calls):
            done = aqi(*args, **env(api), **loud, **where)
            assert done.exit_code == 0, (args, done.stderr)
            texts += [done.stdout, done.stderr]
    assert "***" in failed[0].stdout + failed[0].stderr
    assert told_in(*texts) == []
    assert any("prefect server start" in line for line in lines.seen)
    assert lines.told == []
    kept = list((tmp_path / "warehouse").rglob("*.zst"))
    assert kept
    assert b"asked_with" in decompressed(kept[0].read_bytes())
    for home in (run.home, tmp_path / "warehouse"):
        assert all(list(home.rglob(name)) for name in WRITTEN[home.name])
    assert (aqi.folder / "report.html").stat().st_size
    assert written_in(tmp_path, aqi.folder) == []


@pytest.mark.slow
@pytest.mark.spark
def test_a_run_on_spark(tmp_path: Path) -> None:
    """No setting of the session is on a command line: the file that has them is gone when it has begun."""
    with repeating("answer") as api, command_lines() as lines:
        run = Commands(tmp_path / "home", tmp_path / "warehouse", api.address, env(api) | environment(prefect=None))
        made = run("materialize", "+gold.dim_time", "--engine", "spark")
        assert made.returncode == 0, made.stderr
    of_the_jvm = [line for line in lines.seen if "org.apache.spark.deploy.SparkSubmit" in line]
    assert of_the_jvm
    assert "spark.master" not in "".join(of_the_jvm)
    assert lines.told == []
    assert told_in(made.stdout, made.stderr) == []
    assert written_in(tmp_path) == []
    assert not list(Path(gettempdir()).glob("aqi-spark-*.conf"))

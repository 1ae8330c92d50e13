"""On a machine with proxies and a Prefect of its user's: what is here goes through no proxy, what is elsewhere does,
and our own Prefect server has its own settings and history.

Real processes, and a proxy on 127.0.0.1 that counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.prefect.home import is_ready, prefect_version
from tests.support.aqi_process import AQI
from tests.support.cli_calls import Aqi
from tests.support.counting_proxy import CountingProxy

pytestmark = pytest.mark.engine  # processes of their own

SOCKS = "socks5h://me:s3cret@127.0.0.1:9"


@pytest.fixture
def proxy() -> Iterator[CountingProxy]:
    with CountingProxy() as counting:
        yield counting


def of_no_shell(home: Path, **more: str) -> dict[str, str]:
    """The environment of a user who has just logged in."""
    code = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}  # where this is tried
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **code, **more}


def started(*call: str, folder: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([AQI, *call], cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)


def history(home: Path) -> set[str]:
    """The states of the flow runs in a database of Prefect's."""
    with sqlite3.connect(home / "prefect.db") as connection:
        return {name for (name,) in connection.execute("SELECT state_name FROM flow_run")}


def a_newer_one(home: Path) -> str:
    """A database of a Prefect that is newer; its digest."""
    home.mkdir(parents=True)
    with sqlite3.connect(home / "prefect.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    return hashlib.sha256((home / "prefect.db").read_bytes()).hexdigest()


@pytest.mark.prefect
@pytest.mark.timeout(280)
def test_two_first_runs_at_once_in_a_hostile_shell(tmp_path: Path, proxy: CountingProxy) -> None:
    """Both make Prefect's database; a newer one is in ~/.prefect, and the folder has files that would be read."""
    before = a_newer_one(tmp_path / ".prefect")
    state, folder = tmp_path / "trạng thái? #%20", tmp_path / "work"
    folder.mkdir()
    (folder / "secrets.py").write_text("raise SystemExit('a module of the user')\n")
    (folder / ".env").write_text("PREFECT_SERVER_DATABASE_CONNECTION_URL=sqlite+aiosqlite:////nowhere/x.db\n")
    env = of_no_shell(
        tmp_path,
        XDG_STATE_HOME=str(state),
        HTTP_PROXY=proxy.url,
        https_proxy=proxy.host,
        ALL_PROXY=SOCKS,
        WS_PROXY=proxy.url,
        grpc_proxy=proxy.url,
        NO_PROXY="[::1],fe80::/10 *.corp.example",
        PREFECT_PROFILE="none",
        PREFECT_PROFILES_PATH="/nowhere/profiles.toml",
        PREFECT_API_DATABASE_CONNECTION_URL="postgresql+asyncpg://me:s3cret@127.0.0.1:9/x",
        PREFECT_SERVER_DATABASE_MIGRATE_ON_START="false",
        PREFECT_SERVER_API_AUTH_STRING="me:s3cret",
        PREFECT_API_SSL_CERT_FILE="/nowhere/cert.pem",
        PREFECT_CLIENT_CUSTOM_HEADERS='{"x": "y"}',
    )
    demo = started("demo", "--days", "1", "--warehouse", "demo", folder=folder, env=env)
    other = started("materialize", "gold.dim_location", folder=folder, env=env | {"AQI_WAREHOUSE__URI": "other"})
    for run in (demo, other):
        out, err = run.communicate(timeout=250)
        assert run.returncode == 0, out + err
        assert "completed in" in out
    assert proxy.asked == []
    ours = state / "aqi" / f"prefect-{prefect_version()}"
    assert history(ours) == {"Completed"}
    assert is_ready(ours)
    assert [path.name for path in (tmp_path / ".prefect").iterdir()] == ["prefect.db"]
    assert hashlib.sha256((tmp_path / ".prefect" / "prefect.db").read_bytes()).hexdigest() == before


@pytest.mark.prefect
@pytest.mark.parametrize("variable", ["http_proxy", pytest.param("ALL_PROXY", marks=pytest.mark.slow)])
def test_a_server_on_this_machine_is_asked_directly(
    tmp_path: Path, proxy: CountingProxy, server: str, variable: str
) -> None:
    """By Prefect's own client, by HTTP and by websockets; SOCKS, for which it lacks a library, is not in the way."""
    env = of_no_shell(
        tmp_path,
        PREFECT_API_URL=server.replace("127.0.0.1", "LocalHost"),
        PREFECT_HOME=str(tmp_path / "prefect"),
        AQI_WAREHOUSE__URI=str(tmp_path / "lake"),
        HTTP_PROXY=proxy.url,
        **{variable: SOCKS if variable == "ALL_PROXY" else proxy.url},
    )
    run = started("materialize", "gold.dim_location", folder=tmp_path, env=env)
    out, err = run.communicate(timeout=200)
    assert run.returncode == 0, out + err
    assert proxy.asked == []


def test_what_goes_out_goes_through_it(tmp_path: Path, proxy: CountingProxy) -> None:
    """The source over HTTP, and what alerts are sent to over TLS; doctor says so."""
    webhooks = {"chat": {"url": "https://hooks.invalid/s3cret"}}
    env = of_no_shell(
        tmp_path,
        AQI_WAREHOUSE__URI=str(tmp_path / "lake"),
        AQI_OPEN_METEO__BASE_URL="http://source.invalid",
        AQI_ALERTS__WEBHOOKS=json.dumps(webhooks),
        HTTP_PROXY=f"http://me:s3cret@{proxy.host}",
        https_proxy=proxy.host,
        NO_PROXY="[::1]",
    )
    doctor = started("doctor", folder=tmp_path, env=env)
    watch = started("watch", "--test", folder=tmp_path, env=env)
    out, err = doctor.communicate(timeout=100)
    told = watch.communicate(timeout=100)
    assert "s3cret" not in "".join((out, err, *told))
    assert f"source.invalid: through {proxy.url} (HTTP_PROXY)" in out
    assert f"https://hooks.invalid: through {proxy.url} (https_proxy)" in out
    asked = {line.partition("?")[0] for line in proxy.asked}
    assert asked == {"GET http://source.invalid/v1/air-quality", "CONNECT hooks.invalid:443"}


@pytest.mark.parametrize("exempt", ["source.invalid", "*", "10.0.0.0/8 , .invalid"])
def test_what_is_exempt_does_not(tmp_path: Path, proxy: CountingProxy, exempt: str) -> None:
    env = of_no_shell(
        tmp_path,
        AQI_WAREHOUSE__URI=str(tmp_path / "lake"),
        AQI_OPEN_METEO__BASE_URL="http://source.invalid",
        HTTP_PROXY=proxy.url,
        NO_PROXY=exempt,
    )
    out, _ = started("doctor", folder=tmp_path, env=env).communicate(timeout=100)
    assert "source.invalid: direct (" in out
    assert proxy.asked == []


def test_a_way_that_cannot_be_gone_is_refused_before_any_work(aqi: Aqi) -> None:
    """SOCKS, without what it needs; the other one may still be looked at, and what asks nobody may still run."""
    outside = {"AQI_OPEN_METEO__BASE_URL": "https://source.invalid", "ALL_PROXY": SOCKS}
    place, remedy = aqi.refusal("materialize", "*", "--partitions", "2025-08-08", in_process=False, **outside)
    assert "https://source.invalid is asked through socks5h://127.0.0.1:9 (ALL_PROXY)" in place
    assert "pip install PySocks" in remedy
    server = {"PREFECT_API_URL": "https://prefect.invalid/api", "all_proxy": SOCKS}
    for call in (["materialize", "gold.dim_location"], ["deploy", "--all"]):
        place, remedy = aqi.refusal(*call, in_process=False, **server)
        assert "https://prefect.invalid/api, is told of socks5h://127.0.0.1:9 (all_proxy)" in place
        assert "socksio" in remedy


def test_a_database_of_a_newer_prefect_that_is_named(aqi: Aqi, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    before = a_newer_one(theirs)
    place, remedy = aqi.refusal("materialize", "gold.dim_location", in_process=False, PREFECT_HOME=str(theirs))
    assert f"{theirs / 'prefect.db'}, is of another version than Prefect {prefect_version()}" in place
    assert "Unset PREFECT_HOME" in remedy
    assert hashlib.sha256((theirs / "prefect.db").read_bytes()).hexdigest() == before
    found = {item["what"]: item for item in aqi.json("doctor", "--offline", status=1, PREFECT_HOME=str(theirs))}
    assert (found["Prefect"]["ok"], "another version" in found["Prefect"]["found"]) == (False, True)


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    ours = tmp_path / ".local" / "state" / "aqi" / f"prefect-{prefect_version()}"
    ours.mkdir(parents=True)
    (ours / "prefect.db").write_bytes(b"no database" * 999)
    env = of_no_shell(tmp_path, AQI_WAREHOUSE__URI=str(tmp_path / "lake"))
    run = started("materialize", "gold.dim_location", folder=tmp_path, env=env)
    _, err = run.communicate(timeout=250)
    assert run.returncode == 1
    assert f"Prefect's server did not start: its database is damaged ({ours / 'prefect.db'})" in err
    assert "Traceback" not in err

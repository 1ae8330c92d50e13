"""A Prefect server that cannot be worked with is told in a sentence, before any work: away, no Prefect, no key, …"""

from __future__ import annotations

import base64
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orchestration.core.errors import MachineError, UsageError
from resources.prefect.home import prefect_version
from resources.prefect.pools import check_pool
from resources.prefect.reach import check_reachable, is_cloud, what_is_wrong
from tests.support.alert_sinks import free_port
from tests.support.prefect_stub import PrefectStub, html, listening, of_prefect, pool

pytestmark = pytest.mark.costly  # servers, or waits

OURS = prefect_version().partition(".")[0]


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))


def refusal(url: str) -> tuple[str, str]:
    with pytest.raises(MachineError) as raised:
        check_reachable(url)
    assert raised.value.exit_status == 2
    shown, said = url.replace("user:hunter2@", ""), raised.value.message
    assert said.startswith(f"Prefect's server at {shown} ")
    assert "hunter2" not in said + raised.value.remedy
    return said.removeprefix(f"Prefect's server at {shown} "), raised.value.remedy


def test_a_server_that_is_well_is_asked_once() -> None:
    with listening(PrefectStub(of_prefect())) as stub:
        check_reachable(stub.url)
        check_reachable(f"{stub.url}/")
    assert stub.asked == ["/api/admin/version"] * 2


def test_another_release_of_the_same_version_will_do() -> None:
    with listening(PrefectStub(of_prefect(version=f"{OURS}.0.1"))) as stub:
        assert what_is_wrong(stub.url) is None


def test_another_version_is_told_with_both() -> None:
    with listening(PrefectStub(of_prefect(version="2.20.4"))) as stub:
        said, remedy = refusal(stub.url)
    assert said == f"is Prefect 2.20.4, and this machine's client is {prefect_version()}: they do not work together"
    assert remedy.startswith(f"Name a server of Prefect {OURS}")


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://user:hunter2@127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    assert refusal(url) == (
        "does not answer (ConnectionError)",
        "Start it (prefect server start), or unset PREFECT_API_URL to run without.",
    )
    monkeypatch.delenv("PREFECT_API_URL")  # then a profile of Prefect's names it
    assert "`prefect config unset PREFECT_API_URL`" in refusal(url)[1]


@pytest.mark.parametrize("status", [200, 403, 404, 302])
def test_a_page_for_people_is_no_prefect(status: int) -> None:
    pages = html("/api/admin/version", "/api/health")
    with listening(PrefectStub(pages, status=status)) as stub:
        said, remedy = refusal(stub.url)
    if status == 403:
        assert (said, remedy[:20]) == ("forbids GET /api/admin/version (403)", "Set PREFECT_API_KEY ")
    else:
        assert said.startswith("does not answer as Prefect's API does")
        assert remedy == "PREFECT_API_URL is that of an API: http://127.0.0.1:4200/api."


def test_an_address_without_api_is_told_with_the_one_that_is_meant() -> None:
    pages = html("/admin/version", "/health")
    with listening(PrefectStub(of_prefect() | pages)) as stub:
        said, remedy = refusal(stub.url.removesuffix("/api"))
    assert said == "does not answer as Prefect's API does"
    assert remedy == f"Did you mean {stub.url}?"


def test_a_server_that_fails() -> None:
    with listening(PrefectStub(of_prefect(), status=500)) as stub:
        assert refusal(stub.url)[0] == "answers 500 to GET /api/admin/version"


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("PREFECT_API_KEY", "pnu_sesame", "Bearer pnu_sesame"),
        ("PREFECT_API_AUTH_STRING", "ann:sesame", f"Basic {base64.b64encode(b'ann:sesame').decode()}"),
    ],
)
def test_a_key_is_sent_and_one_that_is_lacking_or_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sent: str
) -> None:
    with listening(PrefectStub(of_prefect(), key=sent)) as stub:
        said, remedy = refusal(stub.url)
        assert (said, name in remedy) == ("refuses the key (401)", True)
        monkeypatch.setenv(name, value)
        check_reachable(stub.url)
        monkeypatch.setenv(name, "wrong:one")
        assert refusal(stub.url)[0] == "refuses the key (401)"


@pytest.mark.parametrize("url", ["127.0.0.1:4200/api", "nonsense", "http://user:hunter2/x@127.0.0.1:9/api"])
def test_what_is_no_address(url: str) -> None:
    wrong = what_is_wrong(url)
    assert wrong is not None
    assert (wrong.what, "hunter2" in wrong.remedy) == ("cannot be asked: this is no address", False)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An API behind a certificate that nobody here trusts, and the file with it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )

    class Version(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f'"{prefect_version()}"'.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Version)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/api", certificate
    server.shutdown()
    server.server_close()


def test_a_certificate_that_is_not_trusted_is_told_with_the_setting_that_helps(
    tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_SSL_CERT_FILE, temporary_settings

    url, certificate = tls
    said, remedy = refusal(url)
    assert (said, "PREFECT_API_SSL_CERT_FILE" in remedy) == ("has a certificate that is not trusted here", True)
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(certificate)}):
        check_reachable(url)


def test_a_server_without_tls_is_told_with_its_address() -> None:
    with listening(PrefectStub(of_prefect())) as stub:
        said, remedy = refusal(stub.url.replace("http://", "https://"))
    assert said == "does not speak TLS"
    assert remedy == f"Is it {stub.url}? Then let PREFECT_API_URL say so."


def test_the_cloud_is_known_by_its_host() -> None:
    assert is_cloud("https://api.prefect.cloud/api/accounts/1/workspaces/2")
    assert not is_cloud("https://prefect.cloud.example.org/api")
    assert not is_cloud("http://127.0.0.1:4200/api")


def test_a_pool_that_is_not_there_is_refused_with_the_nearest_names() -> None:
    with listening(PrefectStub(of_prefect(pool("aqi"), pool("aqi-dev"), pool("other"), pool("far", "docker")))) as stub:
        check_pool(stub.url, "aqi")
        with pytest.raises(UsageError, match="there is no work pool 'aqj-dev'") as raised:
            check_pool(stub.url, "aqj-dev")
        assert raised.value.remedy.startswith("Did you mean 'aqi-dev'")
        with pytest.raises(UsageError, match="type docker"):
            check_pool(stub.url, "far")
        with pytest.raises(UsageError) as raised:
            check_pool(stub.url, "zzz")
    assert raised.value.remedy.startswith("There are aqi, aqi-dev, far, other;")
    with listening(PrefectStub(of_prefect())) as stub:
        with pytest.raises(UsageError) as raised:
            check_pool(stub.url, "aqi")
        assert raised.value.remedy.startswith("There is none yet: `aqi deploy --all`")

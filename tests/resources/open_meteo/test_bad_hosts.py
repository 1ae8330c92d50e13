"""Hosts that drip, never end, say nothing, are not there or show the wrong certificate: bounded, and told in words."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import FetchCancelled, SourceError, SourceLimited, SourceUnreachable
from tests.support.api_answers import ONE_DAY, bad, document, good, now
from tests.support.clocks import SleepingClock
from tests.support.raw_api import RawApi, Serve, dripping, endless, hang_up, silent, whole
from tests.support.scripted_api import CannedApi

pytestmark = pytest.mark.costly  # servers, or waits

BODY = json.dumps(document()).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
MOVED = b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n"


# --- an attempt has an end ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "told"),
    [
        (dripping(BODY), "did not send the whole of its answer within 0.3 s"),
        (dripping(BODY, head=HEAD), "did not send the whole of its answer within 0.3 s"),
        (dripping(HEAD + BODY, head=b""), "did not send the whole of its answer within 0.3 s"),
        (dripping(BODY, seconds=20), "did not send the whole of its answer within 0.3 s"),
        (dripping(BODY, head=MOVED), "did not send the whole of its answer within 0.3 s"),
    ],
    ids=["drips", "drips below a length", "drips from the head on", "stops after the head", "a redirect that drips"],
)
def test_it_is_asked_again_after_an_attempt_without_end(client: Any, serve: Serve, told: str) -> None:
    began = time.monotonic()
    with RawApi(serve, whole(BODY)) as server:
        (answer,) = client(server.url, request_deadline_seconds=0.9, backoff_seconds=0.01).fetch(ONE_DAY, now).answers
        assert len(server.asked) == 2
    assert answer.table.num_rows == 24
    with RawApi(serve) as server, pytest.raises(SourceUnreachable, match=f"{told}; asked 2 times for hanoi"):
        client(server.url, request_deadline_seconds=0.9, attempts=2, backoff_seconds=0.01).fetch(ONE_DAY, now)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", ["200 OK", "302 Found\r\nLocation: https://elsewhere.example/", "500 No"])
def test_a_body_without_end_takes_no_memory(client: Any, status: str) -> None:
    with RawApi(endless(b"\0" * 65536, status), whole(BODY)) as server:
        (answer,) = client(server.url, backoff_seconds=0).fetch(ONE_DAY, now).answers
        assert (len(server.asked), answer.table.num_rows) == (2, 24)
    with RawApi(endless(b"\0" * 65536, status)) as server:
        asks = client(server.url, attempts=1)
        tracemalloc.start()
        with pytest.raises(SourceUnreachable, match="sent more than 1 MB, and that is no answer; asked once"):
            asks.fetch(ONE_DAY, now)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 8e6


def test_a_run_that_is_cancelled_does_not_wait_for_a_body_that_drips(client: Any) -> None:
    with RawApi(dripping(BODY)) as server:
        asks, began = client(server.url), time.monotonic()
        with pytest.raises(FetchCancelled):
            asks.fetch(ONE_DAY, now, cancelled=lambda: time.monotonic() - began > 0.2)
        assert time.monotonic() - began < 2


def test_a_connection_that_ends(client: Any, clock: SleepingClock) -> None:
    told = r"broke the connection \(RemoteDisconnected\); asked 3 times"
    with RawApi(hang_up) as server, pytest.raises(SourceUnreachable, match=told):
        client(server.url).fetch(ONE_DAY, now)
    assert 1.5 <= clock.waited <= 4.5


# --- all attempts have one ------------------------------------------------------------------------


def test_a_host_that_says_nothing_is_given_up(client: Any) -> None:
    began = time.monotonic()
    with RawApi(silent) as server:
        asks = client(server.url, read_timeout_seconds=0.2, unreachable_seconds=0.5, attempts=9, backoff_seconds=0)
        asks._sleep, asks._monotonic = time.sleep, time.monotonic
        with pytest.raises(SourceUnreachable, match=r"did not answer within 0\.2 s; .*unreachable_seconds \(0\.5\)"):
            asks.fetch(ONE_DAY, now)
        assert 2 <= len(server.asked) <= 4
    assert time.monotonic() - began < 2.5


def test_by_default_a_host_that_says_nothing_costs_less_than_a_minute(client: Any) -> None:
    asks = client("http://127.0.0.1:9", read_timeout_seconds=30.0)
    bounds = [asks._bounds(ONE_DAY, passed, False).silent_seconds for passed in (0, 16, 24.5)]
    assert bounds == [25, 9, 1]


def test_attempts_end_with_the_deadline(client: Any, clock: SleepingClock) -> None:
    with CannedApi(*[bad(500, "no")] * 9) as server:
        asks = client(server.url, attempts=9, request_deadline_seconds=10)
        with pytest.raises(SourceError, match=r"; asked \d times for .*open_meteo.request_deadline_seconds \(10\)"):
            asks.fetch(ONE_DAY, now)
        assert 3 <= len(server.asked) <= 6
    assert clock.waited < 10


def test_what_the_source_asks_to_wait_counts_too(client: Any, clock: SleepingClock) -> None:
    with CannedApi(*[bad(429, "x", Retry_After="4")] * 3) as server:
        with pytest.raises(SourceLimited, match="answered HTTP 429"):
            client(server.url, attempts=9, request_deadline_seconds=10).fetch(ONE_DAY, now)
        assert len(server.asked) == 3
    assert clock.waited == 8


def test_fewer_attempts_where_the_caller_says_so(client: Any) -> None:
    with CannedApi(bad(500, "no"), good()) as server:
        with pytest.raises(SourceError, match="asked once for hanoi"):
            client(server.url).fetch(ONE_DAY, now, attempts=1)
        client(server.url).fetch(ONE_DAY, now, attempts=1)


# --- what an attempt costs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (bad(500, "no"), 1.0),
        (bad(200, "no"), 1.0),
        (bad(400, "The supplied API key is invalid."), 1.0),
        (bad(429, "Too many concurrent requests"), 0.0),
        ((200, {}, b"Unexpected error while streaming data: timeoutReached"), 1.7),
        (good(), 1.7),
    ],
)
def test_an_error_costs_one_call_unless_the_answer_had_begun(client: Any, reply: Any, calls: float) -> None:
    with CannedApi(reply) as server:
        asks = client(server.url, attempts=1)
        try:
            asks.fetch(ONE_DAY, now)
        except SourceError:
            assert reply != good()
    assert sum(weight for _, weight in asks._sent) == calls


def test_what_may_have_been_served_costs_what_it_weighs(client: Any) -> None:
    with RawApi(hang_up, whole(BODY[:-9] + b"}", "200 OK")) as server:
        asks = client(server.url, attempts=1)
        with pytest.raises(SourceUnreachable):
            asks.fetch(ONE_DAY, now)
    assert sum(weight for _, weight in asks._sent) == 1.7


# --- names and certificates -----------------------------------------------------------------------


def test_a_name_that_is_not_found(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("urllib3.util.connection.socket.getaddrinfo", unknown)
    with pytest.raises(SourceUnreachable) as caught:
        client("http://no-such-host.invalid").fetch(ONE_DAY, now)
    assert caught.value.message == (
        "no-such-host.invalid has no address: its name was not found (Name or service not known); "
        "asked 3 times for hanoi on 2025-08-08"
    )
    assert "getent hosts" in caught.value.remedy


def certificate(folder: Path, until: datetime) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=9))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(own + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("days", "is_known", "told"),
    [(1, False, "self-signed certificate"), (-1, True, "certificate has expired"), (1, True, "")],
)
def test_a_certificate_that_is_not_trusted(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, is_known: bool, told: str
) -> None:
    path = certificate(tmp_path, datetime.now(UTC) + timedelta(days=days))
    if is_known:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with CannedApi(good()) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        asks = client(server.url.replace("http:", "https:"), api_key="s3cret")
        if not told:
            assert asks.fetch(ONE_DAY, now).answers[0].table.num_rows == 24
            return
        with pytest.raises(SourceUnreachable, match=f"certificate that is not trusted .{told}.*; asked once") as caught:
            asks.fetch(ONE_DAY, now)
        assert not server.asked
    assert "date -u" in caught.value.remedy


def test_a_file_of_certificates_that_is_not_there(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at/all.pem")
    with pytest.raises(SourceUnreachable, match="REQUESTS_CA_BUNDLE"):
        client("https://127.0.0.1:9").fetch(ONE_DAY, now)


def test_a_drip_over_tls_has_an_end_too(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path, datetime.now(UTC) + timedelta(days=1))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    server = RawApi(dripping(BODY))
    server._socket = context.wrap_socket(server._socket, server_side=True)
    with server:
        asks = client(server.url.replace("http:", "https:"), request_deadline_seconds=0.9, attempts=1)
        with pytest.raises(SourceUnreachable, match=r"did not send the whole of its answer within 0\.3 s; asked once"):
            asks.fetch(ONE_DAY, now)


def test_plain_http_where_tls_is_wanted(client: Any) -> None:
    with CannedApi() as server, pytest.raises(SourceUnreachable, match=r"does not agree on TLS"):
        client(server.url.replace("http:", "https:"), attempts=1).fetch(ONE_DAY, now)


def test_a_proxy_that_is_not_there(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:s3cret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(SourceUnreachable, match=r"proxy, which failed \(Connection refused\)") as caught:
        client("http://api.example", attempts=1).fetch(ONE_DAY, now)
    assert "s3cret" not in str(caught.value)
    assert "NO_PROXY" in caught.value.remedy

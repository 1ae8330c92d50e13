"""Which way a connection goes, and that libraries read the environment likewise once it is settled."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import httpx
import pytest
import requests
from requests.utils import select_proxy
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from orchestration.core.errors import MachineError
from resources.machine import proxies
from resources.machine.proxies import FOR_PREFECT, check_way, for_requests, is_here, settle, way_to

PROXY, SOCKS = "http://proxy.example:3128", "socks5h://proxy.example:1080"
OUTSIDE = "http://source.example/v1"
HERE = [
    "127.0.0.1",
    "127.9.8.7",
    "127.1",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",  # noqa: S104
    "[::]",
    "localhost",
    "LOCALHOST.",
    "api.localhost",
    socket.gethostname(),
]


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        before = dict(os.environ)
        yield
        for name in os.environ.keys() - before.keys():
            del os.environ[name]


def say(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_what_is_on_this_machine_goes_through_no_proxy(host: str, variable: str) -> None:
    assert is_here(host)
    assert way_to(f"http://{host}:4200/api", {variable: PROXY, "NO_PROXY": ""}) == ("", "on this machine")


def test_an_address_of_this_machine_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are the names that its file of hosts gives to its addresses."""
    monkeypatch.setattr(proxies, "_own_addresses", lambda: {proxies.ip_address("192.0.2.7")})
    assert is_here("192.0.2.7")
    assert not is_here("192.0.2.8")


@pytest.mark.parametrize("host", ["source.example", "10.0.0.1", "128.0.0.1", "localhost.example", "xlocalhost", "face"])
def test_what_is_elsewhere_goes_through_it(host: str) -> None:
    assert not is_here(host)
    assert way_to(f"http://{host}/", {"HTTP_PROXY": PROXY}) == (PROXY, "HTTP_PROXY")


@pytest.mark.parametrize(
    ("said", "url", "way"),
    [
        ({}, OUTSIDE, ("", "no proxy is named")),
        ({"HTTP_PROXY": ""}, OUTSIDE, ("", "no proxy is named")),
        ({"HTTP_PROXY": PROXY}, "https://source.example", ("", "no proxy is named")),
        ({"HTTP_PROXY": "proxy.example:3128"}, OUTSIDE, (PROXY, "HTTP_PROXY")),
        ({"HTTP_PROXY": SOCKS, "http_proxy": PROXY}, OUTSIDE, (PROXY, "http_proxy")),
        ({"HTTP_PROXY": SOCKS, "http_proxy": ""}, OUTSIDE, ("", "no proxy is named")),
        ({"ALL_PROXY": SOCKS, "https_proxy": PROXY}, "https://source.example", (PROXY, "https_proxy")),
        ({"ALL_PROXY": SOCKS, "https_proxy": PROXY}, OUTSIDE, (SOCKS, "ALL_PROXY")),
        ({"ALL_PROXY": SOCKS}, "ws://source.example/events", (SOCKS, "ALL_PROXY")),
        ({"ftp_proxy": PROXY}, OUTSIDE, ("", "no proxy is named")),
    ],
)
def test_what_the_environment_says(said: dict[str, str], url: str, way: tuple[str, str]) -> None:
    assert way_to(url, said) == way


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("*", OUTSIDE),
        (" * ", OUTSIDE),
        ("source.example", OUTSIDE),
        ("SOURCE.EXAMPLE", OUTSIDE),
        (".example", OUTSIDE),
        ("*.example", OUTSIDE),
        ("a b , source.example", OUTSIDE),
        ("source.example:80", OUTSIDE),
        ("source.example:8080", "http://source.example:8080/"),
        ("10.0.0.0/8", "http://10.1.2.3/"),
        ("10.1.2.3", "http://10.1.2.3:99/"),
        ("10.1.2.3:99", "http://10.1.2.3:99/"),
        ("[2001:db8::1]", "http://[2001:db8::1]/"),
        ("[2001:db8::1]:99", "http://[2001:db8::1]:99/"),
        ("2001:db8::/32", "http://[2001:db8::1]/"),
        ("http://source.example", OUTSIDE),
    ],
)
def test_what_is_exempt_in_any_spelling(exempt: str, url: str) -> None:
    assert way_to(url, {"HTTP_PROXY": PROXY, "NO_PROXY": exempt}) == ("", "NO_PROXY")
    assert way_to(url, {"HTTP_PROXY": PROXY, "NO_PROXY": exempt, "no_proxy": ""}) == ("", "NO_PROXY")


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("", OUTSIDE),
        ("a,*", OUTSIDE),
        ("ource.example", OUTSIDE),
        ("source.example:8080", OUTSIDE),
        ("10.0.0.0/16", "http://10.1.2.3/"),
        ("10.0.0.0/banana", "http://10.1.2.3/"),
        (".", OUTSIDE),
    ],
)
def test_what_is_not_exempt(exempt: str, url: str) -> None:
    assert way_to(url, {"HTTP_PROXY": PROXY, "NO_PROXY": exempt}).proxy == PROXY


def used_by_requests(url: str) -> str | None:
    """The proxy that `requests` takes for it, as we ask."""
    session = requests.Session()
    settings = session.merge_environment_settings(url, for_requests(url), None, None, None)
    return select_proxy(url, settings["proxies"]) or None


def used_by_httpx(url: str) -> str | None:
    with httpx.Client(verify=False) as client:  # noqa: S501 (nothing is sent; certificates take long to load)
        transport = client._transport_for_url(httpx.URL(url))
        if transport is client._transport:
            return None
        proxy = transport._pool._proxy_url  # type: ignore[attr-defined]
        return f"{proxy.scheme.decode()}://{proxy.host.decode()}:{proxy.port}"


def used_by_websockets(url: str) -> str | None:
    return get_proxy(parse_uri(url.replace("http", "ws")))


ODD = ["", "*", "[::1]", "fe80::/10", "a b\tc", "*.corp.example,ä.example", "127.0.0.1:1", ",,", "localhost,*"]


@pytest.mark.parametrize("exempt", ODD)
@pytest.mark.parametrize("proxy", [PROXY, SOCKS, "ftp://x", "http://"])
@pytest.mark.parametrize("host", ["127.3.2.1", "[::1]"])
def test_no_library_sends_what_is_here_to_a_proxy(
    monkeypatch: pytest.MonkeyPatch, exempt: str, proxy: str, host: str
) -> None:
    """Nor fails for a proxy or an exemption that it does not understand."""
    api = f"http://{host}:4200/api"
    say(monkeypatch, HTTP_PROXY=proxy, ALL_PROXY=SOCKS, WS_PROXY=PROXY, NO_PROXY=exempt, no_proxy="")
    settle(api)
    settle(api)  # in a child too
    assert [used(api) for used in (used_by_requests, used_by_httpx, used_by_websockets)] == [None] * 3
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]


@pytest.mark.parametrize("host", HERE)
def test_ours_go_there_directly_in_an_environment_as_it_is(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    say(monkeypatch, HTTP_PROXY=PROXY, ALL_PROXY=SOCKS, NO_PROXY="a")
    assert used_by_requests(f"http://{host}:4200/api") is None
    assert used_by_requests(OUTSIDE) == PROXY


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])  # noqa: S104
def test_whatever_else_is_asked_of_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """By a library that is not told of a URL."""
    say(monkeypatch, HTTP_PROXY=PROXY)
    settle()
    url = f"http://{host}:4200/api"
    settings = requests.Session().merge_environment_settings(url, {}, None, None, None)
    assert select_proxy(url, settings["proxies"]) is None
    assert [used(url) for used in (used_by_httpx, used_by_websockets)] == [None] * 2


@pytest.mark.parametrize("exempt", [one for one in ODD if one.strip() != "*"])
def test_what_goes_out_does_as_before(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    say(monkeypatch, HTTP_PROXY=PROXY, https_proxy=PROXY, ALL_PROXY=SOCKS, NO_PROXY=exempt)
    settle()
    assert used_by_requests(OUTSIDE) == PROXY
    api = "http://prefect.example:4200/api"
    settle("http://127.0.0.1:4200/api")
    assert used_by_requests(OUTSIDE) == PROXY
    settle(api)
    assert [used(api) for used in (used_by_requests, used_by_httpx, used_by_websockets)] == [PROXY] * 3
    assert used_by_httpx("http://127.0.0.1:4200/api") is None


@pytest.mark.parametrize("exempt", ["10.0.0.0/8", "10.0.0.0/8 [::1]", "*"])
def test_prefects_client_goes_the_way_of_ours(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    """httpx knows no nets."""
    say(monkeypatch, HTTP_PROXY=PROXY, NO_PROXY=exempt)
    settle("http://10.1.2.3:4200/api")
    assert used_by_httpx("http://10.1.2.3:4200/api") is None


def test_where_no_proxy_is_named_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, NO_PROXY="a")
    settle("http://127.0.0.1:4200/api")
    assert (os.environ["NO_PROXY"], os.environ.get("no_proxy")) == ("a", None)
    assert for_requests(OUTSIDE) == {}


def test_a_way_that_cannot_be_gone_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "find_spec", lambda _: None)
    say(monkeypatch, ALL_PROXY="socks5://me:s3cret@proxy.example:1080")
    with pytest.raises(MachineError) as caught:
        check_way(OUTSIDE)
    said = str(caught.value)
    assert "through socks5://proxy.example:1080 (ALL_PROXY)" in said
    assert "pip install PySocks" in said
    assert "s3cret" not in said
    with pytest.raises(MachineError, match=r"socksio python-socks\[asyncio\]"):
        check_way(OUTSIDE, FOR_PREFECT)
    with pytest.raises(MachineError, match=r"Prefect's client, which asks http://source.example/api.*ALL_PROXY"):
        settle("http://source.example/api")
    assert check_way("http://127.0.0.1:1").proxy == ""
    for wrong in ("ftp://proxy.example", "http://", "http://proxy.example:port"):
        say(monkeypatch, ALL_PROXY=wrong)
        with pytest.raises(MachineError, match=r"\(ALL_PROXY\), which is no address of a proxy"):
            check_way(OUTSIDE)


def test_with_the_libraries_socks_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "find_spec", lambda name: name)
    say(monkeypatch, ALL_PROXY=SOCKS)
    assert check_way(OUTSIDE) == (SOCKS, "ALL_PROXY")
    settle("http://source.example/api")


@pytest.mark.parametrize(
    "url", ["http://[::1", "https://me:s3cret@source.example:abc", "http://source.example:99999", "x"]
)
@pytest.mark.parametrize("variables", [{}, {"ALL_PROXY": "http://proxy.example:1"}])
def test_no_way_leads_to_an_address_that_is_none(
    url: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, **variables)
    with pytest.raises(MachineError, match="is no address that can be asked") as caught:
        check_way(url)
    assert "s3cret" not in str(caught.value)

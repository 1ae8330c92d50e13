"""Which way a connection goes: to this machine never through a proxy, elsewhere as the environment says.

The variables are those of curl: ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper
case; where both are set the lower one counts. Libraries read them, each in its own way: what is ours is told its way
(`for_requests`), and for the rest, Prefect's client, the environment is written so that all read the same (`settle`).
Imports the standard library alone while there is no proxy.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from orchestration.core.errors import MachineError
from resources.machine.addresses import without_secrets
from resources.machine.certificates import OF_REQUESTS, check_certificates

HERE = ("localhost", ".localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0")  # noqa: S104 (nothing is bound)
"""This machine as libraries read it in NO_PROXY: some only whole names and addresses, some ends of names and nets."""
ALL = "*"
FOR_REQUESTS, FOR_PREFECT = {"socks": "PySocks"}, {"socksio": "socksio", "python_socks": "python-socks[asyncio]"}
"""What is imported for a SOCKS proxy, and the package that has it."""
_HTTP, _SOCKS, _OLD_SOCKS = ("http", "https"), ("socks5", "socks5h"), ("socks4", "socks4a")
_HOSTS = Path("/etc/hosts")
_NAMES = ("http", "https", "all", "no")
Address = IPv4Address | IPv6Address


class Way(NamedTuple):
    """proxy: its URL, empty where there is none between. why: the variable that says so, or what else."""

    proxy: str
    why: str

    def in_words(self) -> str:
        """Without what is secret: ``through http://proxy:3128 (https_proxy)``."""
        return f"through {without_secrets(self.proxy)} ({self.why})" if self.proxy else f"direct ({self.why})"


def way_to(url: str, environ: Mapping[str, str] | None = None) -> Way:
    """Which way a request of a URL goes."""
    said = _said(os.environ if environ is None else environ)
    parts = _split(url)
    scheme = "https" if parts is not None and parts.scheme in ("https", "wss") else "http"
    name = next((one for one in (scheme, "all") if one in said), None)
    if name is None or parts is None or not parts.hostname:
        return Way("", "no proxy is named")
    if is_here(parts.hostname):
        return Way("", "on this machine")
    if "no" in said and _is_exempt(parts, said["no"][1]):
        return Way("", said["no"][0])
    variable, proxy = said[name]
    return Way(proxy if "://" in proxy else f"http://{proxy}", variable)


def for_requests(url: str) -> dict[str, str]:
    """The ``proxies`` of a request of `requests`, which then looks for none by itself."""
    if not names_a_proxy(os.environ):
        return {}
    proxy = way_to(url).proxy  # empty says none, where nothing would be looked for
    return {"http": proxy, "https": proxy, "all": proxy}


def check_way(url: str, needed: Mapping[str, str] | None = None) -> Way:
    """Which way a URL is asked. Raises MachineError that names the variable where this machine cannot go it, or
    where the certificates for it cannot be read.

    needed: for SOCKS, of whoever asks; None: of `requests`.
    """
    way = way_to(url)
    if needed is None and urlsplit(url).scheme == "https":
        check_certificates(OF_REQUESTS)
    if way.proxy:
        _check_proxy(f"{without_secrets(url)} is asked through", way, FOR_REQUESTS if needed is None else needed)
    return way


def settle(api: str | None = None, environ: MutableMapping[str, str] | None = None) -> None:
    """Write the environment so that no library sends what is for this machine to a proxy; children inherit it.

    What it exempted stays exempt, spelled as all libraries read it. api: of Prefect, the only URL that its libraries
    ask; then they go the same way as ours. Raises MachineError where they cannot.
    """
    environ = os.environ if environ is None else environ
    if not names_a_proxy(environ):
        return
    said = _said(environ)
    exempt = said["no"][1] if "no" in said else ""
    entries = [ALL]
    if exempt.strip() != ALL:
        before = _entries(exempt)
        entries = [*(_as_all_read(entry) for entry in before if entry != ALL), *HERE, *_own_names()]
        if api is None:
            entries = [ALL, *entries] if ALL in before else entries
        elif not way_to(api, environ).proxy:
            parts = _split(api)
            # httpx alone reads a star between others, as all: it then makes no client for a SOCKS proxy either, for
            # which it may lack a library, and reads nothing that it takes for a wrong address.
            entries = [ALL, *entries, *((parts.hostname,) if parts is not None and parts.hostname else ())]
        else:
            entries = [entry for entry in entries if _httpx_reads(entry)]
            _check_for_prefect(api, environ, said)
    environ["no_proxy"] = environ["NO_PROXY"] = ",".join(dict.fromkeys(entries))


def names_a_proxy(environ: Mapping[str, str]) -> bool:
    """Whether any library may find one in it: some know ``ws_proxy``, ``grpc_proxy`` and ``socks_proxy`` too."""
    names = {name.lower() for name, value in environ.items() if value.strip()}
    return any(name.endswith("_proxy") and name != "no_proxy" for name in names)


def is_here(host: str) -> bool:
    """Whether a host is this machine: a loopback in any spelling, one of its names, or of its addresses."""
    name = host.strip("[]").lower().rstrip(".").partition("%")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        own = socket.gethostname().lower()
        if name in _own_names():
            return True
        if name.partition(".")[0] != own.partition(".")[0]:
            return False
        with suppress(OSError):  # a longer spelling of our name, or another machine's
            found = {_address(str(item[4][0]).partition("%")[0]) for item in socket.getaddrinfo(name, None)}
            return bool(found & _own_addresses()) or any(one is not None and one.is_loopback for one in found)
        return False
    return address.is_loopback or address.is_unspecified or address in _own_addresses()


def _said(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The variable and its value, by ``http``, ``https``, ``all`` and ``no``."""
    found: dict[str, tuple[str, str]] = {}
    for variable in sorted(environ):  # upper case first
        name = variable.lower()
        if not name.endswith("_proxy") or name[:-6] not in _NAMES:
            continue
        if value := environ[variable].strip():
            found[name[:-6]] = variable, value
        elif variable == name and name != "no_proxy":  # as libraries do: empty means none
            found.pop(name[:-6], None)
    return found


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for what is none)
    except ValueError:
        return None
    return parts


def _address(host: str) -> Address | None:
    """An address in any spelling that the system takes: ``127.1`` and ``::ffff:127.0.0.1`` are 127.0.0.1 too."""
    try:
        found: Address = ip_address(host)
    except ValueError:
        if not re.fullmatch("[0-9a-fx.]*[0-9][0-9a-fx.]*", host):
            return None
        try:
            found = IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _own_addresses() -> set[Address | None]:
    from psutil import net_if_addrs

    families = (socket.AF_INET, socket.AF_INET6)
    listed = (one for of_one in net_if_addrs().values() for one in of_one if one.family in families)
    return {_address(one.address.partition("%")[0]) for one in listed} - {None}


def _own_names() -> list[str]:
    """This machine's name, and those that its file of hosts gives to its own addresses."""
    names = [name] if (name := socket.gethostname().lower()) else []
    with suppress(OSError, UnicodeDecodeError):
        own = _own_addresses()
        for line in _HOSTS.read_text(encoding="utf-8").splitlines():
            address, *called = line.partition("#")[0].lower().split() or [""]
            if called and (found := _address(address)) is not None and (found.is_loopback or found in own):
                names += called
    return [name for name in dict.fromkeys(names) if name.isascii()]


def _entries(text: str) -> list[str]:
    return [entry for entry in re.split(r"[\s,]+", text) if entry]


def _as_all_read(entry: str) -> str:
    """``*.corp`` is ``.corp``, ``[::1]`` is ``::1``."""
    if entry.startswith("*."):
        return entry[1:]
    return entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry


def _httpx_reads(entry: str) -> bool:
    """Whether httpx takes it for an address, and does not refuse to work: no net of IPv6, nothing but ASCII."""
    if ":" in entry and "/" in entry and "://" not in entry:
        return False
    return entry.isascii() and not entry.startswith("[")


def _is_exempt(parts: SplitResult, exempt: str) -> bool:
    if exempt.strip() == ALL:
        return True
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    return any(_covers(entry, host, port) for entry in _entries(exempt.lower()))


def _covers(entry: str, host: str, port: int) -> bool:
    entry = entry.partition("://")[2] or entry
    if (found := re.fullmatch(r"(\[.*\]|[^:]*):(\d+)", entry)) is not None:
        if int(found[2]) != port:
            return False
        entry = found[1]
    entry, address = entry.strip("[]"), _address(host)
    if address is not None:
        if "/" in entry:
            with suppress(ValueError):
                return address in ip_network(entry, strict=False)
            return False
        return _address(entry) == address
    name = entry.removeprefix(ALL).strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _check_proxy(asked: str, way: Way, needed: Mapping[str, str]) -> None:
    shown = f"{asked} {without_secrets(way.proxy)} ({way.why})"
    parts = _split(way.proxy)
    socks = (*_SOCKS, *_OLD_SOCKS) if needed is FOR_REQUESTS else _SOCKS
    if parts is None or not parts.hostname or parts.scheme not in (*_HTTP, *socks):
        raise MachineError(
            f"{shown}, which is no address of a proxy that can be asked ({', '.join(_HTTP + socks)})",
            f"Set {way.why} to one like http://proxy.example.org:3128, or unset it.",
        )
    if parts.scheme in socks and (lacking := _lacking(needed)):
        raise MachineError(
            f"{shown}, and for SOCKS {' and '.join(lacking)} must be installed",
            f"Install it (.venv/bin/python -m pip install {' '.join(lacking)}), or unset {way.why}, or name the host "
            "in NO_PROXY.",
        )


def _check_for_prefect(api: str, environ: MutableMapping[str, str], said: Mapping[str, tuple[str, str]]) -> None:
    """httpx makes a client for every proxy that is named, be it one that nothing goes through."""
    named = {name: Way(value if "://" in value else f"http://{value}", variable) for name, (variable, value) in
             said.items() if name != "no"}  # fmt: skip
    if "all" in named and {"http", "https"} <= named.keys():  # then nothing goes through it
        for variable in [one for one in environ if one.lower() == "all_proxy"]:
            del environ[variable]
        del named["all"]
    for way in _first(way_to(api, environ), named.values()):
        _check_proxy(f"Prefect's client, which asks {without_secrets(api)}, is told of", way, FOR_PREFECT)


def _first(one: Way, others: Iterable[Way]) -> list[Way]:
    return list(dict.fromkeys([one, *others]))


def _lacking(needed: Mapping[str, str]) -> list[str]:
    return [package for module, package in needed.items() if find_spec(module) is None]

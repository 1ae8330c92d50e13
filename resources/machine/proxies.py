"""Decides whether a connection goes through a proxy: never to this machine, elsewhere as environment variables say.

The variables are those of curl: ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper
case; if both are set, the lower-case one counts. Libraries read these variables in different ways. So our own requests
are given their proxy (`for_requests`), and for other libraries, as Prefect's client, the variables are rewritten so
that all libraries read the same (`settle`). Imports the standard library alone while no proxy is set.
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
"""The entries of NO_PROXY that mean this machine. Some libraries only understand whole names and addresses, others also
ends of names and networks."""
ALL = "*"
FOR_REQUESTS, FOR_PREFECT = {"socks": "PySocks"}, {"socksio": "socksio", "python_socks": "python-socks[asyncio]"}
"""The module that a SOCKS proxy needs → the package that has it: for `requests`, for Prefect's client."""
_HTTP, _SOCKS, _OLD_SOCKS = ("http", "https"), ("socks5", "socks5h"), ("socks4", "socks4a")
_HOSTS = Path("/etc/hosts")
_NAMES = ("http", "https", "all", "no")
Address = IPv4Address | IPv6Address


class Way(NamedTuple):
    """How a connection goes: through a proxy, or directly."""

    proxy: str
    """The URL of the proxy; empty for a direct connection."""
    why: str
    """The variable that decides, or another reason in words."""

    def in_words(self) -> str:
        """The way in words, without secrets: ``through http://proxy:3128 (https_proxy)``."""
        return f"through {without_secrets(self.proxy)} ({self.why})" if self.proxy else f"direct ({self.why})"


def way_to(url: str, environ: Mapping[str, str] | None = None) -> Way:
    """The way of a request of ``url``. environ: None: the environment of this process."""
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
    """The argument ``proxies`` for a request of ``url`` by `requests`, so that it does not read the variables
    itself."""
    if not names_a_proxy(os.environ):
        return {}
    proxy = way_to(url).proxy  # an empty text means a direct connection; a missing one, that `requests` decides
    return {"http": proxy, "https": proxy, "all": proxy}


def check_way(url: str, needed: Mapping[str, str] | None = None) -> Way:
    """The way of a request of ``url``, checked. Raises MachineError, which names the variable, where the proxy cannot
    be used from this machine, where the certificates for the URL cannot be read, or where the URL is malformed.

    needed: module → package that the client needs for a SOCKS proxy; None: those that `requests` needs.
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        raise MachineError(f"{without_secrets(url)} is no address that can be asked", "Correct the address.")
    way = way_to(url)
    if needed is None and parts.scheme == "https":
        check_certificates(OF_REQUESTS)
    if way.proxy:
        _check_proxy(f"{without_secrets(url)} is asked through", way, FOR_REQUESTS if needed is None else needed)
    return way


def settle(api: str | None = None, environ: MutableMapping[str, str] | None = None) -> None:
    """Rewrite ``no_proxy`` so that no library sends requests for this machine to a proxy. Child processes inherit it.

    Hosts that were exempt stay exempt, spelled so that all libraries read them. api: the URL of Prefect's API, the only
    one that Prefect's libraries ask; if given, their requests go the same way as ours. Raises MachineError where they
    cannot.
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
            # Only httpx reads a star among other entries as "all hosts". Then it makes no client for a SOCKS proxy, for
            # which a library may be missing, and does not read entries that it would refuse as wrong addresses.
            entries = [ALL, *entries, *((parts.hostname,) if parts is not None and parts.hostname else ())]
        else:
            entries = [entry for entry in entries if _httpx_reads(entry)]
            _check_for_prefect(api, environ, said)
    environ["no_proxy"] = environ["NO_PROXY"] = ",".join(dict.fromkeys(entries))


def names_a_proxy(environ: Mapping[str, str]) -> bool:
    """Whether the environment has a variable in which any library may find a proxy: some libraries also read
    ``ws_proxy``, ``grpc_proxy`` and ``socks_proxy``."""
    names = {name.lower() for name, value in environ.items() if value.strip()}
    return any(name.endswith("_proxy") and name != "no_proxy" for name in names)


def is_here(host: str) -> bool:
    """Whether ``host`` is this machine: a loopback address in any spelling, or one of its own names or addresses."""
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
        with suppress(OSError):  # a longer spelling of this machine's name, or the name of another machine
            found = {_address(str(item[4][0]).partition("%")[0]) for item in socket.getaddrinfo(name, None)}
            return bool(found & _own_addresses()) or any(one is not None and one.is_loopback for one in found)
        return False
    return address.is_loopback or address.is_unspecified or address in _own_addresses()


def _said(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """``http``, ``https``, ``all`` or ``no`` → (the variable that counts, its value)."""
    found: dict[str, tuple[str, str]] = {}
    for variable in sorted(environ):  # upper case first
        name = variable.lower()
        if not name.endswith("_proxy") or name[:-6] not in _NAMES:
            continue
        if value := environ[variable].strip():
            found[name[:-6]] = variable, value
        elif variable == name and name != "no_proxy":  # as libraries read it: an empty variable means no proxy
            found.pop(name[:-6], None)
    return found


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None where it is malformed."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for what is none)
    except ValueError:
        return None
    return parts


def _address(host: str) -> Address | None:
    """The IP address that ``host`` spells, in any spelling that the system takes: ``127.1`` and ``::ffff:127.0.0.1``
    are 127.0.0.1. None for a name."""
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
    """The name of this machine, and the names that ``/etc/hosts`` gives to its own addresses."""
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
    """An entry of NO_PROXY in the spelling that all libraries read: ``*.corp`` → ``.corp``, ``[::1]`` → ``::1``."""
    if entry.startswith("*."):
        return entry[1:]
    return entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry


def _httpx_reads(entry: str) -> bool:
    """Whether httpx can read an entry of NO_PROXY. It fails on networks of IPv6 and on entries that are not ASCII."""
    if ":" in entry and "/" in entry and "://" not in entry:
        return False
    return entry.isascii() and not entry.startswith("[")


def _is_exempt(parts: SplitResult, exempt: str) -> bool:
    """Whether NO_PROXY exempts a URL from the proxy. exempt: the value of NO_PROXY."""
    if exempt.strip() == ALL:
        return True
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    return any(_covers(entry, host, port) for entry in _entries(exempt.lower()))


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY exempts a host at a port."""
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
    """Raises MachineError where the proxy of ``way`` has a wrong address, or needs a package that is not installed.

    asked: the beginning of the message. needed: see `check_way`.
    """
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
    """Raises MachineError where Prefect's client cannot use a proxy that is set. Its library, httpx, makes a client for
    every such proxy, even for one that no request goes through; ``all_proxy`` is unset where it is such a one."""
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
    """The packages whose modules are not installed. needed: module → package."""
    return [package for module, package in needed.items() if find_spec(module) is None]

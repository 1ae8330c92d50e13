"""Free ports of 127.0.0.1, for a server that is given its port and listens there only later.

The usual way, to bind port 0 and close it again, yields a port from the range that the kernel gives to outgoing
connections: before the server listens, a connection may get it. So ports are chosen outside of that range, and at
random, so that two processes that choose at once get different ones. A server that can bind port 0 itself needs none of
this. Imports the standard library alone.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

HOST = "127.0.0.1"
LOWEST, HIGHEST = 10_000, 65_535
"""The range from which ports are chosen. Below it are ports with a known use: 4200, 8020, 8088."""
_FOR_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
_IANA = (49_152, 65_535)
"""The range for outgoing connections where the kernel does not show its own. Source: RFC 6335, section 6."""


def free_ports(number: int) -> list[int]:
    """``number`` different ports at which nobody listens, outside of the range for outgoing connections.

    If that leaves too few, as where the range has nearly all ports, the rest is from the range. Raises OSError where
    not enough ports are free.
    """
    first, last = given_to_connections()
    reserved = reserved_ports()
    ports = [port for port in range(LOWEST, HIGHEST + 1) if port not in reserved]
    outside = [port for port in ports if not first <= port <= last]
    inside = [port for port in ports if first <= port <= last]
    free = filter(is_free, chain(_from_anywhere(outside), _from_anywhere(inside)))
    if len(found := list(islice(free, number))) < number:
        raise OSError(f"of the ports of {HOST} only {len(found)} are free, and {number} are needed")
    return found


def _from_anywhere(ports: Sequence[int]) -> Iterator[int]:
    """All ``ports``, in their order, beginning with a random one and going round once."""
    begin = secrets.randbelow(len(ports)) if ports else 0
    return chain(islice(ports, begin, None), islice(ports, begin))


def is_free(port: int) -> bool:
    """Whether a server could listen at this port of 127.0.0.1 now. Binds it for a moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def given_to_connections() -> tuple[int, int]:
    """The first and the last port of the range that the kernel gives to outgoing connections."""
    try:
        first, last = _FOR_CONNECTIONS.read_text(encoding="ascii").split()
    except OSError:
        return _IANA
    return int(first), int(last)


def reserved_ports() -> set[int]:
    """The ports that the administrator of this machine reserved: ``1-5,9`` in ``ip_local_reserved_ports`` means 1 to 5,
    and 9."""
    try:
        text = _RESERVED.read_text(encoding="ascii").strip()
    except OSError:
        return set()
    ranges = [part.partition("-") for part in text.split(",") if part]
    return {port for first, _, last in ranges for port in range(int(first), int(last or first) + 1)}

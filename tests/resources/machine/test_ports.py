from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.machine import ports
from resources.machine.ports import HIGHEST, HOST, LOWEST, free_ports, given_to_connections, is_free, reserved_ports


def kernel(patch: pytest.MonkeyPatch, folder: Path, connections: str, reserved: str = "") -> None:
    """A kernel that says this of its ports."""
    for name, text in (("_FOR_CONNECTIONS", connections), ("_RESERVED", reserved)):
        (folder / name).write_text(f"{text}\n", encoding="ascii")
        patch.setattr(ports, name, folder / name)


def test_no_outgoing_connection_is_given_one_of_them() -> None:
    first, last = given_to_connections()
    found = free_ports(50)
    assert len(set(found)) == 50
    assert not [port for port in found if first <= port <= last]
    with closing(socket.create_server((HOST, 0))) as server:
        connections = [socket.create_connection(server.getsockname()) for _ in range(20)]
        assert all(first <= connection.getsockname()[1] <= last for connection in connections), "the range is another"
        for connection in connections:
            connection.close()


def test_one_at_which_somebody_listens_is_not_among_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken, free = free_ports(2)
    kernel(monkeypatch, tmp_path, "1 9999", f"{LOWEST}-{HIGHEST}")
    monkeypatch.setattr(ports, "reserved_ports", lambda: set(range(LOWEST, HIGHEST + 1)) - {taken, free})
    with closing(socket.create_server((HOST, taken))):
        assert not is_free(taken)
        assert [free_ports(1) for _ in range(20)] == [[free]] * 20
        with pytest.raises(OSError, match="only 1 are free, and 2 are needed"):
            free_ports(2)
    assert sorted(free_ports(2)) == sorted([taken, free])


@settings(deadline=None)
@given(st.integers(1, HIGHEST), st.integers(1, HIGHEST), st.sets(st.integers(1, HIGHEST), max_size=5))
def test_of_any_kernel(one: int, other: int, reserved: set[int]) -> None:
    """Outside of what is given to connections while there is enough, and never what is reserved."""
    first, last = sorted([one, other])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "given_to_connections", lambda: (first, last))
        patch.setattr(ports, "reserved_ports", lambda: reserved)
        patch.setattr(ports, "is_free", lambda _port: True)
        found = free_ports(7)
    assert len(set(found)) == 7
    assert not reserved & set(found)
    assert all(LOWEST <= port <= HIGHEST for port in found)
    outside = {port for port in range(LOWEST, HIGHEST + 1) if not first <= port <= last} - reserved
    assert len(outside & set(found)) == min(7, len(outside))


def test_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel(monkeypatch, tmp_path, "32768\t60999", "8080,9000-9002")
    assert given_to_connections() == (32768, 60999)
    assert reserved_ports() == {8080, 9000, 9001, 9002}
    kernel(monkeypatch, tmp_path, "1024\t65535")
    assert reserved_ports() == set()
    assert len(free_ports(7)) == 7
    for name in ("_FOR_CONNECTIONS", "_RESERVED"):
        monkeypatch.setattr(ports, name, tmp_path / "none")
    assert given_to_connections() == (49152, 65535)
    assert reserved_ports() == set()

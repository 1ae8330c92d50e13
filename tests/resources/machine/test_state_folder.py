"""The folder of what commands remember: where it is, and that it can be written before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.core.errors import MachineError
from resources.machine.state_folder import make_state_folder, state_folder, state_folder_found


def test_it_is_made_once_and_only_looked_at_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_folder_found() == f"{tmp_path / 'state' / 'aqi'} (made by the next run)"
    assert list(tmp_path.iterdir()) == []
    make_state_folder()
    make_state_folder()
    assert state_folder_found() == str(tmp_path / "state" / "aqi")
    assert list(state_folder().iterdir()) == []


@pytest.mark.parametrize("where", ["/proc/nope", "/dev/null"])
def test_one_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", where)
    for look in (make_state_folder, state_folder_found):
        with pytest.raises(MachineError, match=rf"the state folder {where}/aqi cannot be written \(") as caught:
            look()
        assert "XDG_STATE_HOME" in caught.value.remedy

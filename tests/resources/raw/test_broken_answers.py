"""Kept raw answers that are broken or gone: named, and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import WarehouseError
from orchestration.core.source import RawAnswer
from resources.raw.answers import Found, RawAnswers
from tests.support.kept_answers import (
    DAMAGE,
    FEED,
    LATER,
    OTHER,
    Killed,
    a_folder,
    answer,
    files_of,
    killed_at,
    many,
    quick,
    raw_of,
)
from tests.support.records import keys


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_file_is_named_and_in_nobodys_way(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    first, second = raw.all(FEED).files
    path = tmp_path / "_aqi" / "raw" / first.path
    path.write_bytes(damage(path.read_bytes()))
    assert raw.of(FEED, keys(1)) == [second]
    (named,) = raw.broken(FEED)
    assert named.startswith(f"{first.path} (")
    with pytest.raises(WarehouseError, match=first.name):
        raw.read(first)
    assert raw.pack(FEED, LATER) == 1
    assert raw.of(FEED, keys(1)) == [second]
    assert raw.broken(FEED) == (named,), "it stays, to be looked at"


@quick
@given(many, st.data())
def test_any_damage_is_harmless(kept: list[RawAnswer], data: st.DataObject) -> None:
    """What is not damaged is found as before, what is damaged is named or as it was, and nothing raises."""
    with a_folder() as folder:
        raw = raw_of(folder, *kept)
        raw.pack(FEED, date(2025, 8, 22))
        before, paths = raw.all(FEED).files, files_of(folder)
        bodies = {file.name: raw.read(file) for file in before}
        if not paths:
            return
        path = folder / data.draw(st.sampled_from(paths))
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.booleans())
        path.write_bytes(content[:at] if cut else content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        found = raw.all(FEED)
        assert {file.name: raw.read(file) for file in found.files}.items() <= bodies.items()
        assert found.files == before or found.broken or OTHER in str(path)
        assert len(found.files) + len(found.broken) >= len([file for file in before if "pack_" not in file.path])
        raw.pack(FEED, LATER)
        raw.remove(found.files)
        assert raw.all(FEED).files == ()


@pytest.mark.parametrize("damage", [*DAMAGE.values()], ids=DAMAGE)
def test_a_broken_pack(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    raw.pack(FEED, LATER)
    before = raw.all(FEED)
    (path,) = files_of(tmp_path)
    (tmp_path / path).write_bytes(damage((tmp_path / path).read_bytes()))
    found = raw.all(FEED)
    assert set(found.files) < set(before.files)
    assert found.broken
    raw.keep(answer(2))
    raw.pack(FEED, LATER)
    raw.remove(before.files)
    assert answer(2).asked in [file.asked for file in raw.all(FEED).files]


def test_one_broken_file_of_a_pack(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer(0), answer(1))
    raw.pack(FEED, LATER)
    (path,) = files_of(tmp_path)
    first, second = raw.all(FEED).files
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-5])
    assert raw.of(FEED, keys(1)) == [first]
    assert raw.read(first) == answer(0)
    (named,) = raw.broken(FEED)
    assert second.name in named
    raw.remove([first])
    assert raw.all(FEED).files == ()
    assert len(raw.broken(FEED)) == 1, "what is broken was not to be removed"
    raw.keep(answer(1))
    assert raw.of(FEED, keys(1)) == [second], "a sound copy stands for it"
    assert raw.broken(FEED) == ()


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer())
    (file,) = raw.all(FEED).files
    (tmp_path / "_aqi" / "raw" / file.path).unlink()
    with pytest.raises(WarehouseError, match=r"20250820T060000Z.*asked at 2025-08-20T06:00:00Z.*it is gone"):
        raw.read(file)


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    with pytest.raises(WarehouseError, match="cannot be read"):
        RawAnswers(str(tmp_path)).all(FEED)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    raw = raw_of(tmp_path, answer())
    folder = tmp_path / "_aqi" / "raw" / FEED
    (folder / "2025-08-20" / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "2025-13-45").mkdir()
    (folder / "20250820").mkdir()
    (folder / "20250821").mkdir()
    (folder / "2025-08-20" / "20251399T000000Z_2025-08-01_2025-08-01_0123456789abcdef.zst").write_bytes(b"")
    assert len(raw.all(FEED).files) == 1
    raw.pack(FEED, LATER)
    raw.remove(raw.all(FEED).files)
    assert (folder / "2025-08-20" / "notes.txt").exists()
    assert raw.broken(FEED) == ()


def test_what_a_killed_writer_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_of(tmp_path)
    again = killed_at(1, monkeypatch)
    with pytest.raises(Killed):
        raw.keep(answer())
    again()
    assert raw.all(FEED) == Found(())
    assert len(files_of(tmp_path)) == 1
    raw.pack(FEED, LATER)
    assert files_of(tmp_path) == []

"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import fsspec

from resources.storage import atomic_files


def test_a_whole_file_replaces_another(tmp_path: Path) -> None:
    files = fsspec.filesystem("file")
    path = tmp_path / "new" / "a.json"
    for text in (b"one", b"two"):
        atomic_files.write_atomically(files, str(path), text)
        assert path.read_bytes() == text
    assert atomic_files.names_in(files, str(path.parent)) == ["a.json"]
    assert atomic_files.names_in(files, str(tmp_path / "nowhere")) == []

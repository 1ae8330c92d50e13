"""The values of parameters that are kept in a warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.storage.parameter_values import FOLDER, ParameterValues, Values

ONE: Values = {"aa": {"parameters": {"threshold": 151}}, "bb": {"parameters": {}}}
TWO: Values = {"cc": {"parameters": {"threshold": 201}}, "bb": {"parameters": {}}}


def files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.json"))


def test_a_configuration_is_kept_once(tmp_path: Path) -> None:
    assert ParameterValues(str(tmp_path)).by_digest == {}
    ParameterValues(str(tmp_path)).keep(ONE)
    [file] = files(tmp_path)
    before = file.stat().st_mtime_ns
    ParameterValues(str(tmp_path)).keep(dict(reversed(ONE.items())))
    assert (files(tmp_path), file.stat().st_mtime_ns) == ([file], before)
    ParameterValues(str(tmp_path)).keep(TWO)
    assert len(files(tmp_path)) == 2
    assert ParameterValues(str(tmp_path)).by_digest == {**ONE, **TWO}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "values": {"dd": {}}}', '{"values": {}}'])
def test_what_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    ParameterValues(str(tmp_path)).keep(ONE)
    (tmp_path / FOLDER / "0.json").write_text(text, encoding="utf-8")
    (tmp_path / FOLDER / ".unfinished.json").write_text(text, encoding="utf-8")
    assert ParameterValues(str(tmp_path)).by_digest == ONE

"""YAML is read as PyYAML's own parser reads it, and what is wrong is told in its words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resources.settings.yaml_text import parsed

ROOT = Path(__file__).resolve().parents[3]

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates()
values = st.recursive(plain, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(), of, max_size=3))


@given(values)
def test_a_value_comes_back(value: object) -> None:
    assert parsed(yaml.safe_dump(value, allow_unicode=True)) == value


@pytest.mark.parametrize("file", sorted(ROOT.glob("config/*.yml")) + sorted(ROOT.glob("assets/*.yml")), ids=str)
def test_our_files_say_what_they_said(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert parsed(text) == yaml.safe_load(text) is not None


@pytest.mark.parametrize("wrong", ["a: [1", "a: b: c", "\ta: 1", "&a: *b", "a: 'x"])
def test_what_is_wrong_is_told_in_the_words_of_its_own_parser(wrong: str) -> None:
    with pytest.raises(yaml.YAMLError) as theirs:
        yaml.safe_load(wrong)
    with pytest.raises(yaml.YAMLError) as ours:
        parsed(wrong)
    assert str(ours.value) == str(theirs.value)

"""YAML that people wrote: what is read, and how what cannot be read is told."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestration.core.errors import DeclarationError
from orchestration.engine.changes.history import read_lines
from resources.settings.yaml_text import DEEPEST, MOST_VALUES, ImpossibleValue, NotYaml, read_yaml
from tests.support.given_settings import CORRECT, profile_file, refusal

NO_DAY = "there is no such day or time (line 1, column 9)"


def aliases(levels: int) -> str:
    """A list of ten times ten times … the same value, in a few lines."""
    told = [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}' if one else 'x'] * 10)}]" for one in range(levels)]
    return "\n".join(told)


def test_a_day_that_is_none_in_a_variable() -> None:
    says = ("the environment (AQI_HISTORY__SINCE): " + NO_DAY, CORRECT)
    assert refusal(AQI_HISTORY__SINCE="{hanoi: 2024-13-45}") == says


@pytest.mark.parametrize("text", ["/data/\udcff", "[\udcff]"])
def test_a_variable_that_is_not_utf_8(text: str) -> None:
    assert refusal(AQI_WAREHOUSE__URI=text) == ("the environment (AQI_WAREHOUSE__URI): is not UTF-8", CORRECT)


def test_a_day_that_is_none_in_a_profile(tmp_path: Path) -> None:
    profile = profile_file(tmp_path, "warehouse: {uri: x}\nhistory: {since: 2024-13-45}")
    says = (f"{profile}: there is no such day or time (line 2, column 18)", "Correct the file.")
    assert refusal(None, profile) == says


def test_a_day_that_is_none_in_the_file_of_openlineage(tmp_path: Path) -> None:
    file = profile_file(tmp_path, "since: 2024-13-45")
    message, remedy = refusal(OPENLINEAGE_CONFIG=file)
    assert message == f"OPENLINEAGE_CONFIG: {file}: there is no such day or time (line 1, column 8)"
    assert remedy == "Correct the file."


@pytest.mark.parametrize("text", ["gold.x: [2024-13-45]", "gold.x: [", "[" * 2000, "\x01", aliases(12)])
def test_lines_of_equal_code_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"profile\.yml cannot be read"):
        read_lines(Path(profile_file(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("since: 0000-01-01", "there is no such day or time (line 1, column 8)"),
        ("2024-01-01T25:00:00", "there is no such day or time (line 1, column 1)"),
        ("!!timestamp x", "there is no such day or time (line 1, column 1)"),
        ("!!int ''", "is no whole number (line 1, column 1)"),
        ("- 9\n- " + "9" * 5000, "is no whole number (line 2, column 3)"),
        ("!!float x", "is no number (line 1, column 1)"),
        ("!!bool perhaps", "is neither true nor false (line 1, column 1)"),
        ("a: {b: 1}\nc: 2\na: {d: 3}", "the key of line 1, column 1 is given again (line 3, column 1)"),
        ("x: {y: 1, z: 2, y: 1}", "the key of line 1, column 5 is given again (line 1, column 17)"),
        ("a: &a {b: *a}", "holds itself (line 1, column 4)"),
        (aliases(12), f"stands for more than {MOST_VALUES} values (line 5, column 5)"),
        ("[" * 60 + "]" * 60, f"is nested more than {DEEPEST} deep (line 1, column 52)"),
        ("[" * 3000, f"is nested more than {DEEPEST} deep (line 1, column 52)"),
    ],
)
def test_a_value_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(ImpossibleValue) as caught:
        read_yaml(text)
    assert str(caught.value) == says


@pytest.mark.parametrize("text", ["password: !geheim x", "password: *geheim", "password: %geheim", "a: [geheim"])
def test_nothing_of_the_text_is_told(text: str) -> None:
    with pytest.raises(NotYaml, match="line 1") as caught:
        read_yaml(text)
    assert "geheim" not in str(caught.value)


def test_aliases_may_be_used() -> None:
    told = "a: &a {x: 1}\nb: {<<: *a, y: 2024-02-29}\nc: [*a, *a]"
    assert read_yaml(told) == {"a": {"x": 1}, "b": {"x": 1, "y": date(2024, 2, 29)}, "c": [{"x": 1}, {"x": 1}]}
    assert read_yaml("d: &d {x: 1}\ne: {x: 2, <<: *d}\nf: {<<: *d, <<: {x: 3}, y: 4}")["e"] == {"x": 2}
    assert read_yaml("") is read_yaml("# nothing") is None


texts = st.text()
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.dates()
values = st.recursive(plain, lambda of: st.lists(of, max_size=3) | st.dictionaries(texts, of, max_size=3))


@given(values)
def test_a_value_comes_back(value: object) -> None:
    assert read_yaml(yaml.safe_dump(value)) == value


@given(values)
def test_letters_of_every_alphabet_are_read(value: object) -> None:
    """PyYAML writes some line breaks of Unicode so that it reads blanks; what it reads is what has to be read."""
    text = yaml.safe_dump(value, allow_unicode=True)
    assert read_yaml(text) == yaml.safe_load(text)


SIGNS = "[]{}:,-!&*<>|?'\"%@`# \n\t0123456789abexnT.+_"


@settings(max_examples=60, deadline=None)
@given(
    st.text(SIGNS, max_size=40) | st.from_regex(r"\A(!!(int|float|bool|binary|timestamp|set|omap|pairs) )?.{0,12}\Z")
)
def test_any_text_is_read_as_pyyaml_reads_it_or_refused(text: str) -> None:
    """The one error is NotYaml, and only where PyYAML raises one too or a key is given twice."""
    read: object = NotYaml
    try:
        read = read_yaml(text)
    except NotYaml as error:
        assume("is given again" not in str(error))
    expected: object = NotYaml
    with contextlib.suppress(yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError):
        expected = yaml.safe_load(text)
    assert repr(read) == repr(expected)

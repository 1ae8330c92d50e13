"""The section ``open_meteo`` of the settings: names that it once had."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.project import load


def test_how_far_a_location_may_move_is_read_under_the_name_that_it_had(tmp_path: Path) -> None:
    profile = tmp_path / "mine.yml"
    profile.write_text("open_meteo: {same_place_degrees: 0.3}\n", encoding="utf-8")
    assert load(str(profile), {}).open_meteo.same_location_degrees == 0.3
    environment = {"AQI_OPEN_METEO__SAME_PLACE_DEGREES": "0.2"}
    assert load("local", environment).open_meteo.same_location_degrees == 0.2
    assert load("local", {}).open_meteo.same_location_degrees == 0.1


def test_a_wrong_value_is_refused_under_it(tmp_path: Path) -> None:
    profile = tmp_path / "mine.yml"
    profile.write_text("open_meteo: {same_place_degrees: near}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"same_location_degrees.*near"):
        load(str(profile), {})

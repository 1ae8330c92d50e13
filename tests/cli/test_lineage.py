"""Lineage, as JSON and into a file."""

from __future__ import annotations

import json

import pytest

from orchestration.reports.lineage import FORMATS
from tests.support.cli_calls import EPISODE, Aqi


def test_lineage_as_json(aqi: Aqi) -> None:
    lineage = aqi.json("lineage", f"1+{EPISODE}")
    assert [asset["key"] for asset in lineage["assets"]] == ["gold.fact_air_quality_hourly", EPISODE]
    assert [(edge["upstream"], edge["downstream"]) for edge in lineage["edges"]] == [
        ("gold.fact_air_quality_hourly", EPISODE)
    ]
    assert len(aqi.json("lineage")["assets"]) == 10
    assert json.loads(aqi.text("lineage", "--format", "json")) == aqi.json("lineage")


def test_every_format_can_be_asked_for_and_text_need_not_be(aqi: Aqi) -> None:
    printed = {name: aqi.text("lineage", EPISODE, "--format", name) for name in FORMATS}
    assert aqi.text("lineage", EPISODE) == printed["text"]
    assert aqi.text("lineage", EPISODE, "--json") == printed["json"]
    assert [name for name, text in printed.items() if EPISODE not in text or not text.endswith("\n")] == []


def test_lineage_into_a_file(aqi: Aqi) -> None:
    for options in ((), ("--json",)):
        assert aqi.text("lineage", "-o", "it.txt", *options) == ""
        assert (aqi.folder / "it.txt").read_text(encoding="utf-8") == aqi.text("lineage", *options)


@pytest.mark.parametrize("output", ["file/below", "nowhere/lineage.txt"])
def test_an_output_that_cannot_be_written(aqi: Aqi, output: str) -> None:
    (aqi.folder / "file").touch()
    assert aqi.refusal("lineage", "-o", output)[0].startswith(f"{output} cannot be written (")

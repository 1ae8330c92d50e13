"""The catalog: what can only be seen with all assets together, and the assets of the data model."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assets import CATALOG
from assets.parameters import Parameters
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.dag import CycleError, UnknownUpstreamError
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation

ROOT = Path(__file__).resolve().parents[2]
DAILY = DailyByLocation()


NO_MAPPING = (
    "no mapping makes an asset without partitions from one that has some: it would be made anew from all of them at "
    "every run. Give it the partitions of gold.hours, and let its readers add up"
)


def table(key: str, *upstream: PartitionMapping, partitions: DailyByLocation | None = DAILY) -> Asset:
    """An asset as the decorator makes it; what its function does is of no interest here."""
    return Asset(key, "Text.", lambda: None, upstream, None, partitions, "C", (), frozenset({"tag"}), ())


# --- wrong ones -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assets", "kind", "message", "remedy"),
    [
        (
            [table("gold.a"), table("gold.a")],
            DeclarationError,
            "asset gold.a is declared twice",
            "Rename one of the two functions.",
        ),
        (
            [table("bronze.hours"), table("gold.a", Identity("bronze.hour"))],
            UnknownUpstreamError,
            "gold.a names the upstream bronze.hour, which is not declared",
            "did you mean bronze.hours?",
        ),
        (
            [table("gold.a", Identity("silver.xyz"))],
            UnknownUpstreamError,
            "gold.a names the upstream silver.xyz, which is not declared",
            "declare silver.xyz, or take it away from gold.a",
        ),
        (
            [table("gold.a", Identity("gold.b")), table("gold.b", Identity("gold.a"))],
            CycleError,
            "these need each other in a circle: gold.a -> gold.b -> gold.a",
            "each feeds the next; take one of these upstreams away",
        ),
        (
            [table("gold.a", Identity("gold.a"))],
            CycleError,
            "these need each other in a circle: gold.a -> gold.a",
            "each feeds the next; take one of these upstreams away",
        ),
        (
            [table("gold.dim", partitions=None), table("gold.a", Identity("gold.dim"))],
            DeclarationError,
            "asset gold.a: the mapping Identity does not fit its upstream gold.dim",
            'Identity joins assets of the same partitions; write AllPartitions("gold.dim").',
        ),
        (
            [table("gold.hours"), table("gold.a", AllPartitions("gold.hours"), partitions=None)],
            DeclarationError,
            "asset gold.a: the mapping AllPartitions does not fit its upstream gold.hours",
            f"AllPartitions reads a whole table at every step; {NO_MAPPING}.",
        ),
        (
            [
                table("gold.hours"),
                table("gold.a", RunWindow("gold.hours", "aqi", "episode_rule.threshold"), partitions=None),
            ],
            DeclarationError,
            "asset gold.a: the mapping RunWindow does not fit its upstream gold.hours",
            f"RunWindow joins two assets with partitions; {NO_MAPPING}.",
        ),
    ],
)
def test_declarations_that_do_not_fit_each_other(
    assets: list[Asset], kind: type[DeclarationError], message: str, remedy: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        Catalog(assets)
    assert (type(caught.value), caught.value.message, caught.value.remedy) == (kind, message, remedy)


def test_a_keyword_argument_that_is_no_parameter() -> None:
    odd = replace(table("gold.a"), parameters=("calendar", "threshold"))
    with pytest.raises(DeclarationError) as caught:
        Catalog([odd], Parameters)
    assert caught.value.message == "asset gold.a: keyword argument 'threshold' is no parameter"
    assert caught.value.remedy == (
        "Parameters are calendar, episode_rule, limits, locations, model_domain, pollutants, row_rules."
    )


@pytest.mark.parametrize("path", ["", "threshold", "episode_rul.threshold", "episode_rule.treshold", "a.b.c"])
def test_a_window_over_a_parameter_that_is_none(path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Catalog([table("gold.hours"), table("gold.a", RunWindow("gold.hours", "aqi", path))], Parameters)
    assert caught.value.message == f"asset gold.a: the mapping RunWindow names {path!r}, which is no parameter"
    assert caught.value.remedy == (
        "Parameters are calendar, episode_rule, limits, locations, model_domain, pollutants, row_rules; "
        "name a number in one of them, for instance episode_rule.threshold."
    )


@pytest.mark.parametrize("path", ["episode_rule", "calendar.first", "locations"])
def test_a_window_over_a_parameter_that_is_no_number(path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Catalog([table("gold.hours"), table("gold.a", RunWindow("gold.hours", "aqi", path))], Parameters)
    assert caught.value.message == f"asset gold.a: the mapping RunWindow names {path!r}, which is no number"
    assert caught.value.remedy == "Name a number, for instance episode_rule.threshold."


BREAKAGES: list[tuple[Callable[[str], str], str]] = [
    (
        lambda text: text.replace('Identity("silver.air_quality_hourly_clean")', 'Identity("silver.air_quality")'),
        "gold.fact_air_quality_hourly: argument 'air_quality_hourly_clean' is no upstream asset of it",
    ),
    (
        lambda text: (
            text + '\n\n@asset(layer="gold", upstream=[Identity("gold.nowhere")], partitions=DAILY, contract="C")'
            '\ndef lost(nowhere):\n    """Nothing."""\n'
        ),
        "gold.lost names the upstream gold.nowhere, which is not declared",
    ),
]


@pytest.mark.costly
@pytest.mark.parametrize(("damage", "message"), BREAKAGES)
def test_importing_broken_assets_fails(damage: Callable[[str], str], message: str, tmp_path: Path) -> None:
    """The project's own assets with one declaration damaged, imported by a fresh interpreter."""
    shutil.copytree(ROOT / "assets", tmp_path / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    facts = tmp_path / "assets" / "facts.py"
    whole = facts.read_text(encoding="utf-8")
    facts.write_text(damage(whole), encoding="utf-8")
    assert facts.read_text(encoding="utf-8") != whole
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import assets"
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert answer.returncode != 0
    assert message in answer.stderr


# --- right ones -----------------------------------------------------------------------------------


def test_what_a_catalog_answers() -> None:
    window = RunWindow("silver.b", "aqi", "episode_rule.min_hours")
    catalog = Catalog(
        [
            table("gold.d", window, AllPartitions("gold.c")),
            table("silver.b", Identity("bronze.a")),
            table("gold.c", partitions=None),
            table("bronze.a"),
        ]
    )
    assert catalog.keys == ("gold.c", "bronze.a", "silver.b", "gold.d")
    assert [asset.key for asset in catalog] == list(catalog.keys)
    assert len(catalog) == 4
    assert "gold.d" in catalog
    assert "gold.x" not in catalog
    assert catalog["gold.d"].upstream_keys == ("silver.b", "gold.c")
    assert (catalog.layer_of("gold.d"), catalog.tags_of("gold.d")) == ("gold", frozenset({"tag"}))
    with pytest.raises(KeyError):
        catalog["gold.x"]


def test_assets_of_modules() -> None:
    first, second = ModuleType("first"), ModuleType("second")
    vars(first).update(a=table("bronze.a"), helper=lambda: None, CONSTANT=3)
    vars(second).update(b=table("silver.b", Identity("bronze.a")))
    assert Catalog.from_modules(second, first).keys == ("bronze.a", "silver.b")


def test_a_catalog_with_another_asset() -> None:
    """In the place of the one of its key, or besides; and checked: the catalog itself stays as it was."""
    catalog = Catalog([table("bronze.a"), table("silver.b", Identity("bronze.a"))])
    other = table("silver.b")
    assert catalog.with_asset(other)["silver.b"] is other
    assert catalog.with_asset(table("gold.c", Identity("silver.b"))).keys == ("bronze.a", "silver.b", "gold.c")
    assert (catalog.keys, catalog["silver.b"].upstream) == (("bronze.a", "silver.b"), (Identity("bronze.a"),))
    with pytest.raises(UnknownUpstreamError, match=r"bronze\.x"):
        catalog.with_asset(table("silver.b", Identity("bronze.x")))


BRONZE = "bronze.open_meteo_hourly"
CLEAN, QUARANTINE = "silver.air_quality_hourly_clean", "silver.air_quality_hourly_quarantine"
HOURLY, DAY, EPISODE = "gold.fact_air_quality_hourly", "gold.fact_city_daily", "gold.fact_episode"
DIMENSIONS = ("gold.dim_date", "gold.dim_time", "gold.dim_location", "gold.dim_pollutant")


def test_the_tables_of_the_data_model_and_their_edges() -> None:
    """DATA_MODEL, Tables; what any other is, its own test says."""
    edges = {
        BRONZE: (),
        **dict.fromkeys(DIMENSIONS, ()),
        CLEAN: (Identity(BRONZE),),
        QUARANTINE: (Identity(BRONZE),),
        HOURLY: (Identity(CLEAN),),
        DAY: (Identity(HOURLY),),
        EPISODE: (RunWindow(HOURLY, column="aqi", at_least="episode_rule.threshold"),),
    }
    assert {key: CATALOG[key].upstream for key in edges} == edges
    assert {key: CATALOG[key].source for key in edges if CATALOG[key].source} == {BRONZE: "open_meteo"}


def test_their_partitions() -> None:
    """Every dated table is partitioned by day and location; an episode lies on the day on which it starts."""
    days: dict[str, Any] = {
        **dict.fromkeys(DIMENSIONS),
        **dict.fromkeys((BRONZE, CLEAN, QUARANTINE, HOURLY, DAY), ("date_utc", "location_key")),
        EPISODE: ("start_date_utc", "location_key"),
    }
    assert {key: CATALOG[key].partition_columns for key in days} == days


def test_it_fails_when_its_module_is_imported(tmp_path: Path) -> None:
    (tmp_path / "broken_assets.py").write_text(
        "from orchestration.core.declarations.asset import asset\n"
        "from orchestration.core.partitions.mappings import Identity\n"
        "@asset(layer='gold', contract='C', upstream=[Identity('silver.hours')])\n"
        "def best(hour):\n    'The best hour.'\n",
        encoding="utf-8",
    )
    spec = importlib.util.spec_from_file_location("broken_assets", tmp_path / "broken_assets.py")
    assert spec is not None and spec.loader is not None
    with pytest.raises(DeclarationError, match=r"asset gold\.best: argument 'hour' is no upstream asset of it"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

"""An asset whose source is unknown is refused when its project is imported, before anything is done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.core.errors import DeclarationError
from tests.support.kept.trees import Tree
from tests.support.river.project import PROJECT

pytestmark = pytest.mark.engine  # processes of their own

MISSPELT = ('source="open_meteo"', 'source="opnaq_misspelt"')


def test_a_project_names_the_asset_and_the_sources_that_it_has() -> None:
    readings = replace(PROJECT.catalog["bronze.gauge_readings"], source="guages")
    with pytest.raises(DeclarationError) as refused:
        replace(PROJECT, catalog=PROJECT.catalog.with_asset(readings))
    assert refused.value.message == "asset bronze.gauge_readings: its source 'guages' is unknown"
    assert refused.value.remedy == "Known sources are gauges, rain_files."


def test_a_source_that_no_asset_has_harms_nobody() -> None:
    more = replace(PROJECT, sources={**PROJECT.sources, "satellite": PROJECT.sources["gauges"]})
    assert {asset.source for asset in more.fetched} == {"gauges", "rain_files"}


@pytest.fixture(scope="module")
def misspelt(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """This project with a misspelt source."""
    folder = tmp_path_factory.mktemp("misspelt")
    tree = Tree.copy(folder / "tree", folder / "warehouse")
    tree.edit("assets/bronze.py", MISSPELT)
    return tree


def test_importing_the_composition_root_fails(misspelt: Tree) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import orchestration.project"],
        cwd=misspelt.folder,
        env={"PYTHONPATH": str(misspelt.folder), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "asset bronze.open_meteo_hourly: its source 'opnaq_misspelt' is unknown" in done.stderr
    assert "Known sources are open_meteo." in done.stderr


@pytest.mark.parametrize("call", [("status",), ("plan", "*", "--partitions", "2025-08-08"), ("lineage",)])
def test_a_command_is_refused_with_the_remedy(misspelt: Tree, call: tuple[str, ...]) -> None:
    done = misspelt(*call)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: asset bronze.open_meteo_hourly: its source 'opnaq_misspelt' is unknown",
        "  Known sources are open_meteo.",
    ]
    assert not Path(misspelt.warehouse).exists()

"""`aqi new asset`: what it says and what it refuses, without a file changed. Its sources are those of this checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.cli.app import main
from tests.support.cli_calls import DAILY, Aqi
from tests.support.river.project import PROJECT as RIVER

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_file_is_changed() -> object:
    files = [ROOT / "assets" / name for name in ("facts.py", "contracts.py")]
    before = [file.read_bytes() for file in files]
    yield None
    assert [file.read_bytes() for file in files] == before
    assert not (ROOT / "tests" / "assets" / "test_made_up.py").exists()


def test_a_dry_run_says_what_it_would_write(aqi: Aqi) -> None:
    assert aqi.text("new", "asset", "gold.made_up", "--upstream", DAILY, "--dry-run").splitlines() == [
        f"would write assets/facts.py: its function made_up, from {DAILY} [Identity]",
        "would write assets/contracts.py: its contract MadeUp, key location_key, date_utc",
        "would write tests/assets/test_made_up.py: its test",
    ]


def test_for_programs(aqi: Aqi) -> None:
    call = ("new", "asset", "gold.made_up", "--upstream", DAILY, "--upstream", "gold.dim_date", "--dry-run")
    assert aqi.json(*call) == {
        "asset": "gold.made_up",
        "partitions": "daily",
        "upstream": [
            {"asset": DAILY, "mapping": "Identity"},
            {"asset": "gold.dim_date", "mapping": "AllPartitions"},
        ],
        "contract": "MadeUp",
        "files": ["assets/facts.py", "assets/contracts.py", "tests/assets/test_made_up.py"],
        "written": False,
        "next": [
            ".venv/bin/pytest tests/assets/test_made_up.py",
            "make docs",
            "aqi plan gold.made_up --partitions last:7",
        ],
    }


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ((DAILY,), "is there already"),
        (("made_up",), "must be LAYER.NAME"),
        (("gold.MadeUp",), "a name must be"),
        (("gold.made_up", "--upstream", "gold.fact_city_dayly"), "upstream 'gold.fact_city_dayly' is unknown"),
        (("gold.made_up", "--upstream", DAILY, "--partitions", "unpartitioned"), "cannot be declared"),
        (("gold.made_up", "--partitions", "daily"), "made from others, or fetched"),
        (("gold.bounds", "--upstream", DAILY), "assets/contracts.py has another Bounds already"),
        (("gold.catalog", "--upstream", DAILY), "tests/assets/test_catalog.py is there already"),
    ],
)
def test_what_is_refused(aqi: Aqi, call: tuple[str, ...], says: str) -> None:
    message, remedy = aqi.refusal("new", "asset", *call)
    assert says in message and remedy


def test_a_project_whose_tests_lie_elsewhere_is_refused() -> None:
    call = ["new", "asset", "gold.made_up", "--upstream", "gold.daily_levels", "--json"]
    done = CliRunner().invoke(main, call, obj=RIVER, env={"AQI_PROFILE": ""})
    assert done.exit_code == 2
    assert "no checkout of the project's sources" in json.dumps(json.loads(done.stdout or "{}")) + done.stderr

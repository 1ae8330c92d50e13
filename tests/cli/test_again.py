"""How people are told to go on: with days that mean the same tomorrow. Now is 2025-08-20, 06:00 UTC."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from orchestration.core.errors import RunError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.outcome import RunSummary
from tests.support.cli_calls import Aqi
from tests.support.days_there import with_days

ABSOLUTE = "2025-08-19..2025-08-20"


@pytest.fixture
def failing(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> Aqi:
    """Runs fail: a step never runs."""

    def fail(_workspace: Any, request: Any, _listener: Any, **_more: Any) -> RunSummary:
        step = Step("a.b", "a.b", request.partitions, PartitionSet.empty(), (), None, "missing")
        return RunSummary("r", Plan((step,), ()), (), 1.0)

    monkeypatch.setattr("orchestration.engine.executor.materialize", fail)
    return aqi


def advice(result: Result) -> str:
    """The last command that is told; the whole advice where there is none."""
    assert result.exit_code == 1, result.stderr
    text = result.stdout[result.stdout.index("Mend the cause") :]
    return text.splitlines()[-1].strip() if "\n  " in text else text.strip()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("materialize '*' --partitions last:1", f"aqi materialize '*' --partitions {ABSOLUTE}"),
        (
            "materialize '*' --partitions last:1 --locations hanoi --force --engine embedded",
            f"aqi materialize '*' --partitions {ABSOLUTE} --locations hanoi --force --engine embedded",
        ),
        ("materialize '*' --partitions 2025-08", ""),
        ("materialize '*' --partitions 2025-08-01..2025-08-02", ""),
        ("backfill --start-date 2025-08-01 --end-date 2025-08-02", ""),
        ("materialize '*' --hourly", "aqi materialize '*' --partitions 2025-08-18..2025-08-20"),
    ],
)
def test_after_a_failure(failing: Aqi, call: str, expected: str) -> None:
    said = advice(failing(*shlex.split(call)))
    if expected:
        assert said == expected
    else:
        assert "call the same command again" in said


def test_an_hourly_run_that_failed_is_repeated_by_location(failing: Aqi, tmp_path: Path) -> None:
    """Hà Nội has a gap of three days, the others none, as nothing was made there."""
    lake = with_days(tmp_path / "lake", {"hanoi": ["2025-08-01..2025-08-14"]})
    result = failing("materialize", "*", "--hourly", AQI_WAREHOUSE__URI=lake, AQI_HOURLY__INCOMPLETE_DAYS="0")
    told = [line.strip() for line in result.stdout.splitlines() if line.startswith("  aqi")]
    assert told == [
        "aqi materialize '*' --partitions 2025-08-15..2025-08-20 --locations hanoi",
        "aqi materialize '*' --partitions 2025-08-18..2025-08-20 --locations danang,hcmc",
    ]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            ["materialize", "*", "--partitions", "last:1"],
            f"to go on call\n  aqi materialize '*' --partitions {ABSOLUTE}",
        ),
        (["status", "--partitions", "last:1"], f"to go on call\n  aqi status --partitions {ABSOLUTE}"),
        (["materialize", "*", "--partitions", ABSOLUTE], "call the same command again to go on"),
    ],
)
def test_after_an_interruption(aqi: Aqi, monkeypatch: pytest.MonkeyPatch, call: list[str], said: str) -> None:
    def interrupt(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.engine.workspace.Workspace.select", interrupt)
    result = aqi(*call)
    assert result.exit_code == 130
    assert result.stderr.strip() == f"interrupted; {said}"


def test_remedies_name_days_that_mean_the_same_tomorrow(aqi: Aqi) -> None:
    for call in (["materialize", "*"], ["show", "bronze.open_meteo_hourly", "--raw"]):
        _, remedy = aqi.refusal(*call)
        assert "2025-08-13..2025-08-20" in remedy
        assert "last:" not in remedy


def test_no_remedy_of_the_product_names_days_that_move() -> None:
    """What is raised, or told as a remedy: neither ``last:`` nor a promise that the same command does the same."""
    root = Path(__file__).resolve().parents[2]
    for path in [*root.glob("orchestration/**/*.py"), *root.glob("resources/**/*.py")]:
        if path.name in ("again.py", "days.py"):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "the same command again" not in line.lower(), path
            assert not ("last:" in line and ("Add " in line or "Call " in line)), path


def test_an_error_of_a_run_asks_for_days_not_for_a_command() -> None:
    from orchestration.core.runs.step_parts import others_came_first
    from tests.core.planning.test_hourly import ASSETS

    error: RunError = others_came_first(ASSETS[0])
    assert error.remedy == "Ask for the same days again when they are done."

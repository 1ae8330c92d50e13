"""A new asset is written into sources: all files or none, and as formatter and linter leave them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import assets
from assets import CATALOG
from orchestration.core.declarations.new_asset import MOST_CHARACTERS, new_asset
from orchestration.core.declarations.source_text import (
    function_imports,
    text_of_contract,
    text_of_function,
    text_of_test,
    with_imports,
)
from orchestration.core.errors import UsageError
from orchestration.engine.new_asset import NewSources, new_sources
from orchestration.project import PROJECT, load
from tests.support.contracts import load_contracts

ROOT = Path(__file__).resolve().parents[2]
LONG = "levels_by_hour_of_the_longest_name_that_a_table_may_have_here"[:MOST_CHARACTERS]
DAYS, EPISODES, LOCATIONS, DATES = (
    "gold.fact_city_daily",
    "gold.fact_episode",
    "gold.dim_location",
    "gold.dim_pollutant",
)

MODULE = '''"""Facts."""

from __future__ import annotations

from pyspark.sql import Column

from assets.bronze import DAILY
from orchestration.core.partitions.scheme import DailyByLocation

ALL = (Column, DAILY, DailyByLocation)
'''
CONTRACTS = '''"""Contracts."""

import pandera.pyspark as pa
import pyspark.sql.types as T
'''


def test_formatter_and_linter_leave_it_as_it_is(tmp_path: Path) -> None:
    """Short names and long ones, every kind of upstream asset; by the project's own settings."""
    contracts = load_contracts(CATALOG, load(environment={}).parameters.limits)
    several = ([], [DAYS], [EPISODES], [LOCATIONS], [DATES, EPISODES, DAYS, LOCATIONS])
    for number, (name, upstream) in enumerate((name, one) for name in ("tides", LONG) for one in several):
        new = new_asset(CATALOG, contracts, f"gold.{name}", upstream)
        module = with_imports(MODULE, function_imports(new), ["assets"])
        scheme = 'DailyByLocation(day_column="start_date_utc")' if new.scheme is not None else ""
        for kind, text in (
            ("facts", f"{module}\n\n{text_of_function(new, scheme)}"),
            ("contracts", f"{CONTRACTS}\n\n{text_of_contract(new)}"),
            ("test", text_of_test(new, "assets")),
        ):
            (tmp_path / f"{kind}_{number}.py").write_text(text, encoding="utf-8")
    written = sorted(file.name for file in tmp_path.iterdir())
    for package in ("orchestration", "assets", "tests"):  # so that imports are sorted as ours
        (tmp_path / package).symlink_to(ROOT / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ruff = str(Path(sys.executable).with_name("ruff"))
    for call in (["check", "--ignore", "RUF012"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [ruff, *call, "--no-cache", *written], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.fixture
def sources(tmp_path: Path) -> NewSources:
    """Two files that are there, one of them not for everybody, and a test that is to be."""
    contracts = load_contracts(CATALOG, load(environment={}).parameters.limits)
    new = new_asset(CATALOG, contracts, "gold.tides", [DAYS])
    files = [tmp_path / "tests" / "test_tides.py", tmp_path / "contracts.py", tmp_path / "facts.py"]
    files[0].parent.mkdir()
    for file in files[1:]:
        file.write_text("before\n", encoding="utf-8")
    files[2].chmod(0o640)
    return NewSources(new, tmp_path, dict.fromkeys(files, "after\n"))


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_all_files_are_written_and_nothing_else(sources: NewSources) -> None:
    sources.write()
    assert texts(sources.root) == dict.fromkeys(["contracts.py", "facts.py", "tests/test_tides.py"], "after\n")
    assert (sources.module, sources.contracts, sources.test) == ("facts.py", "contracts.py", "tests/test_tides.py")
    assert (sources.root / "facts.py").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_where_one_cannot_be_written_none_is(
    sources: NewSources, monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException
) -> None:
    """Whichever of the six: three are written beside, then each takes its place."""
    before, calls = texts(sources.root), [0]

    def failing(function: object) -> object:
        def call(*args: object, **more: object) -> object:
            calls[0] += 1
            if calls[0] == number:
                raise error
            return function(*args, **more)  # type: ignore[operator]

        return call

    monkeypatch.setattr(Path, "write_text", failing(Path.write_text))
    monkeypatch.setattr(Path, "replace", failing(Path.replace))
    with pytest.raises((UsageError, KeyboardInterrupt)) as caught:
        sources.write()
    monkeypatch.undo()
    assert texts(sources.root) == before
    if isinstance(caught.value, UsageError):
        assert "cannot be written: No space left on device" in caught.value.message
        assert caught.value.remedy.startswith("Nothing was changed.")


@pytest.mark.parametrize("where", ["site-packages/assets", "no-tests/assets", "gone/assets"])
def test_what_is_no_checkout_of_sources_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    folder = tmp_path / where
    if "gone" not in where:
        folder.mkdir(parents=True)
    monkeypatch.setattr(assets, "__file__", str(folder / "__init__.py"))
    before = list(tmp_path.rglob("*"))
    with pytest.raises(UsageError) as caught:
        new_sources(PROJECT, load(environment={}), "gold.tides", (DAYS,))
    assert "checkout" in caught.value.message and "checkout" in caught.value.remedy
    assert list(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("key", "taken"),
    [("gold.window", None), ("gold.categories", None), ("gold.t", "assets/contracts.py"), ("gold.bounds", "contracts")],
)
def test_a_name_that_its_module_has_already_is_refused(key: str, taken: str | None) -> None:
    """The class of a contract may not be called as what its module imports; a function's name has other letters."""
    settings = load(environment={})
    if taken is None:
        assert new_sources(PROJECT, settings, key, (DAYS,)).module == "assets/facts.py"
    else:
        with pytest.raises(UsageError, match=f"{taken}.* has another"):
            new_sources(PROJECT, settings, key, (DAYS,))


def test_where_it_goes() -> None:
    """Into the module of its like; with the names that this has for the partitions."""
    settings = load(environment={})
    dated = new_sources(PROJECT, settings, "gold.tides", (DAYS,))
    assert (dated.module, dated.test) == ("assets/facts.py", "tests/assets/test_tides.py")
    assert "    partitions=DAILY," in dated.texts[ROOT / dated.module]
    spells = new_sources(PROJECT, settings, "gold.tides", (EPISODES,))
    assert '    partitions=DailyByLocation(day_column="start_date_utc"),' in spells.texts[ROOT / spells.module]
    assert new_sources(PROJECT, settings, "gold.tides").module == "assets/dimensions.py"
    assert new_sources(PROJECT, settings, "silver.tides", (DAYS,)).module == "assets/silver.py"

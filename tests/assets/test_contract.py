"""Contracts: pandera models as plain values, what their digest means, Delta's schema, docs/TABLES.md."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandera.pyspark as pa
import pyspark.sql.types as T
import pytest

from assets import CATALOG
from assets.contracts import models
from assets.parameters import Bounds
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract, RowRule, describe, models_among, tables_page
from orchestration.core.errors import DeclarationError
from orchestration.engine.contracts import DeclaredContracts
from orchestration.engine.pandera_contracts import contract_of
from orchestration.project import load
from tests.support.contracts import declared, load_contracts, make_contracts
from tests.support.oracle import CONCENTRATIONS, DEFAULT_LIMITS, INDEXES, UNITS

ROOT = Path(__file__).resolve().parents[2]
LIMITS = load("local", environment={}).parameters.limits
CONTRACTS = make_contracts(LIMITS)

# --- the tables of the data model (DATA_MODEL, Tables); a question mark: may be null -------------------------------

HOUR = (
    "location_key:string ts_utc:timestamp date_utc:date latitude:double longitude:double"
    + "".join(f" {name}:integer?" for name in INDEXES)
    + "".join(f" {name}:double?" for name in CONCENTRATIONS)
)
BRONZE = f"{HOUR} model_domain:string request_timezone:string _ingested_at:timestamp"
COLUMNS = {
    "OpenMeteoHourly": BRONZE,
    "AirQualityHourlyClean": f"{HOUR} date_key:integer time_key:integer _ingested_at:timestamp",
    "AirQualityHourlyQuarantine": f"{BRONZE} broken_rules:array<string>",
    "DimDate": "date_key:integer date_value:date day_of_month:integer day_of_week:integer "
    "week_of_year:integer month:integer month_name:string quarter:integer year:integer is_weekend:boolean",
    "DimTime": "time_key:integer time_value:string hour:integer work_shift:string",
    "DimLocation": "location_key:string location_name:string latitude:double longitude:double timezone:string",
    "DimPollutant": "pollutant_code:string display_name:string unit_default:string aqi_timespan:string?",
    "FactAirQualityHourly": f"record_id:string {HOUR} date_key:integer time_key:integer "
    "dominant_pollutant:string? data_completeness:double concentrations_measured:integer? "
    "ts_local:string? date_local:date? hour_local:integer?",
    "FactCityDaily": "daily_record_id:string location_key:string date_utc:date date_key:integer "
    "aqi_daily_max:integer? dominant_pollutant_daily:string? hours_in_cat_good:long "
    "hours_in_cat_moderate:long hours_in_cat_usg:long hours_in_cat_unhealthy:long "
    "hours_in_cat_very_unhealthy:long hours_in_cat_hazardous:long hours_measured:long "
    "data_completeness:double has_last_hour:boolean?",
    "FactEpisode": "episode_id:string location_key:string start_ts_utc:timestamp end_ts_utc:timestamp "
    "start_date_utc:date duration_hours:long peak_aqi:integer hours_flagged:long dominant_pollutant:string? "
    "rule_code:string end_exclusive_ts_utc:timestamp? is_open:boolean?",
}
KEYS = {
    "OpenMeteoHourly": ("location_key", "ts_utc"),
    "AirQualityHourlyClean": ("location_key", "ts_utc"),
    "AirQualityHourlyQuarantine": ("location_key", "ts_utc"),
    "DimDate": ("date_key",),
    "DimTime": ("time_key",),
    "DimLocation": ("location_key",),
    "DimPollutant": ("pollutant_code",),
    "FactAirQualityHourly": ("location_key", "ts_utc"),
    "FactCityDaily": ("location_key", "date_utc"),
    "FactEpisode": ("location_key", "start_ts_utc", "rule_code"),
}


def test_there_is_a_contract_per_table() -> None:
    assert set(CONTRACTS) == {asset.contract for asset in CATALOG}


@pytest.mark.parametrize("name", CONTRACTS)
def test_everything_has_its_words(name: str) -> None:
    """Tables and columns say what they are."""
    contract = CONTRACTS[name]
    assert contract.name == name
    assert contract.description.endswith(".")
    assert [column.name for column in contract.columns if not column.description] == []


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_types_nullability_and_key(name: str) -> None:
    contract = CONTRACTS[name]
    columns = [f"{column.name}:{column.type}{'?' * column.nullable}" for column in contract.columns]
    assert columns == COLUMNS[name].split()
    assert contract.key == KEYS[name]
    assert contract.column_names == tuple(column.name for column in contract.columns)


def test_units() -> None:
    units = {column.name: column.unit for column in CONTRACTS["OpenMeteoHourly"].columns}
    assert {name: units[name] for name in CONCENTRATIONS} == UNITS
    assert {name for name, unit in units.items() if unit == "US AQI"} == set(INDEXES)
    assert units["ts_utc"] == "UTC"


# --- row rules: DATA_MODEL, Row rules of silver -----------------------------------------------------


def test_the_row_rules_of_silver() -> None:
    rules = CONTRACTS["AirQualityHourlyClean"].rules
    by_name = {
        name: {(of.kind, of.column, of.bound) for of in rules if of.rule == name}
        for name in dict.fromkeys(of.rule for of in rules)
    }
    assert list(by_name) == ["key", "negative", "not_finite", "implausible"]
    assert by_name["key"] == {
        *(("null", column, None) for column in ("location_key", "ts_utc", "date_utc")),
        ("off_hour", "ts_utc", None),
        ("other_day", "ts_utc", None),
    }
    assert [of.other for of in rules if of.kind == "other_day"] == ["date_utc"]
    measured = [*CONCENTRATIONS, *INDEXES]
    assert by_name["negative"] == {("below", column, 0) for column in measured}
    assert by_name["not_finite"] == {("not_finite", column, None) for column in CONCENTRATIONS}
    assert by_name["implausible"] == {
        *(("above", column, high) for column, (_, high) in DEFAULT_LIMITS.items() if high is not None),
        *(("below", column, low) for column, (low, _) in DEFAULT_LIMITS.items() if low is not None),
    }


def test_only_silver_has_row_rules() -> None:
    assert [name for name, contract in CONTRACTS.items() if contract.rules] == ["AirQualityHourlyClean"]


def test_limits_are_configuration() -> None:
    other = make_contracts({"pm25": Bounds(-1.0, None)})["AirQualityHourlyClean"]
    assert [rule for rule in other.rules if rule.rule == "implausible"] == [
        RowRule("implausible", "below", "pm25", -1.0)
    ]
    assert other.digest != CONTRACTS["AirQualityHourlyClean"].digest
    without = make_contracts({})["AirQualityHourlyClean"]
    assert {rule.rule for rule in without.rules} == {"key", "negative", "not_finite"}
    assert make_contracts({})["FactEpisode"].digest == CONTRACTS["FactEpisode"].digest


def test_a_check_without_a_compiled_form_is_refused() -> None:
    class Odd(pa.DataFrameModel):
        """Odd."""

        hour: T.IntegerType = pa.Field(ne=3, description="Hour")

        class Config:
            unique = ("hour",)

    with pytest.raises(DeclarationError) as caught:
        contract_of("Odd", Odd)
    assert caught.value.message == "contract Odd: the check 'not_equal_to' has no compiled form"
    assert caught.value.remedy.startswith("Use ge=0, le, in_range or notin=NOT_FINITE of a column")


def test_what_has_row_rules_is_made_anew_for_other_limits() -> None:
    first, second = models(LIMITS), models({})
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] is not second[name]] == ["AirQualityHourlyClean"]


# --- contracts are found by their class ------------------------------------------------------------


def model(name: str, **said: Any) -> Any:
    """A class as a module of contracts has it."""
    fields: dict[str, Any] = {"__annotations__": {"hour": T.IntegerType}, "hour": pa.Field(description="Hour")}
    return type(name, (pa.DataFrameModel,), {"__module__": __name__, **fields, **said})


class Key:
    unique = ("hour",)


def test_every_class_of_a_module_is_a_contract() -> None:
    small, other, base = model("Small", Config=Key), model("Other", Config=Key), model("_Base")
    held = [pa, T.IntegerType, Bounds, models, "Small", None, small, base, other, small]
    assert models_among(held) == {"Small": small, "Other": other}


def test_a_contract_without_a_key_is_refused_and_so_are_two_of_one_name() -> None:
    with pytest.raises(DeclarationError) as caught:
        models_among([model("Keyless")])
    assert caught.value.message == "contract Keyless: has no key"
    assert 'class Config: unique = ["…"]' in caught.value.remedy and "_Keyless" in caught.value.remedy
    with pytest.raises(DeclarationError, match="contract Small is declared twice"):
        models_among([model("Small", Config=Key), model("Small", Config=Key)])


# --- the plain form -------------------------------------------------------------------------------

RULE = RowRule("implausible", "above", "pm25", 5000.0)
SMALL = Contract(
    "Small",
    "Small.",
    (Column("location", "string", False, "", "The location"), Column("pm25", "double", True, "µg/m³", "Particles")),
    ("location",),
    (RULE,),
)


@pytest.mark.parametrize("name", CONTRACTS)
def test_json_and_back(name: str) -> None:
    contract = CONTRACTS[name]
    read = Contract.from_json(json.loads(json.dumps(contract.to_json())))
    assert read == contract
    assert read.digest == contract.digest


def first_column(**changes: Any) -> Callable[[Contract], Contract]:
    return lambda of: replace(of, columns=(replace(of.columns[0], **changes), *of.columns[1:]))


@pytest.mark.parametrize(
    "demand",
    [
        first_column(name="locations"),
        first_column(type="integer"),
        first_column(nullable=True),
        lambda of: replace(of, columns=of.columns[::-1]),
        lambda of: replace(of, columns=of.columns[:1]),
        lambda of: replace(of, key=("location", "pm25")),
        lambda of: replace(of, rules=()),
        lambda of: replace(of, rules=(replace(RULE, bound=5001.0),)),
        lambda of: replace(of, rules=(replace(RULE, rule="odd"),)),
        lambda of: replace(of, rules=(replace(RULE, kind="below"),)),
        lambda of: replace(of, rules=(replace(RULE, other="location"),)),
    ],
)
def test_the_digest_changes_with_a_demand(demand: Callable[[Contract], Contract]) -> None:
    assert demand(SMALL).digest != SMALL.digest


@pytest.mark.parametrize(
    "prose",
    [
        first_column(description="Where"),
        first_column(unit="°"),
        lambda of: replace(of, description="Another text."),
        lambda of: replace(of, name="Other"),
    ],
)
def test_the_digest_does_not_change_with_prose(prose: Callable[[Contract], Contract]) -> None:
    assert prose(SMALL) != SMALL
    assert prose(SMALL).digest == SMALL.digest


def test_delta_schema() -> None:
    contract = replace(SMALL, columns=(*SMALL.columns, Column("names", "array<string>", False, "", "Names")))
    names = {"type": "array", "elementType": "string", "containsNull": True}
    assert contract.delta_schema() == {
        "type": "struct",
        "fields": [
            {"name": "location", "type": "string", "nullable": False, "metadata": {"comment": "The location"}},
            {
                "name": "pm25",
                "type": "double",
                "nullable": True,
                "metadata": {"comment": "Particles [µg/m³]"},
            },
            {"name": "names", "type": names, "nullable": False, "metadata": {"comment": "Names"}},
        ],
    }


# --- contracts of assets, and their kept form -----------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "aqi"


def asset(contract: str) -> Asset:
    return Asset("gold.a", "Text.", lambda: None, (), None, None, contract, (), frozenset(), ())


def test_an_asset_whose_contract_is_unknown(cache: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        load_contracts(Catalog([asset("FactEpisodes")]), LIMITS)
    assert caught.value.message == "asset gold.a: there is no contract 'FactEpisodes'"
    assert caught.value.remedy == f"Declare it in assets/contracts.py; known are {', '.join(sorted(CONTRACTS))}."


def test_contracts_by_asset_are_kept_and_read_back(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_contracts(CATALOG, LIMITS)
    assert made == {asset.key: CONTRACTS[asset.contract] for asset in CATALOG}
    assert [file.suffix for file in cache.iterdir()] == [".json"]

    def no_pandera(_limits: Any) -> Any:
        raise AssertionError("made anew although it was kept")

    assert replace(declared(LIMITS), models=no_pandera).load(CATALOG) == made
    with pytest.raises(AssertionError, match="made anew"):
        replace(declared({}), models=no_pandera).load(CATALOG)  # other limits are another kept form


@pytest.mark.parametrize("module", ["contracts.py", "variables.py"])
def test_what_is_declared_beside_the_contracts_belongs_to_them(module: str, cache: Path, tmp_path: Path) -> None:
    """A column comes from another module than its table's contract: on a machine that has kept them, too."""
    folder = tmp_path / "assets"
    shutil.copytree(ROOT / "assets", folder, ignore=shutil.ignore_patterns("__pycache__"))
    made: list[str] = []

    def counted(limits: Any) -> Any:
        made.append("anew")
        return models(limits)

    kept = DeclaredContracts(folder / "contracts.py", counted, dict(LIMITS))
    kept.load(CATALOG)
    kept.load(CATALOG)
    assert made == ["anew"]
    (folder / module).write_text((folder / module).read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8")
    kept.load(CATALOG)
    assert made == ["anew", "anew"]


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", '{"A": {}}', '{"A": {"name": "A", "columns": 3}}'])
def test_a_damaged_kept_form_is_made_anew(damage: str, cache: Path) -> None:
    load_contracts(CATALOG, LIMITS)
    (file,) = cache.iterdir()
    whole = file.read_text(encoding="utf-8")
    file.write_text(damage, encoding="utf-8")
    assert load_contracts(CATALOG, LIMITS)["gold.fact_episode"] == CONTRACTS["FactEpisode"]
    assert file.read_text(encoding="utf-8") == whole


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_contracts(CATALOG, LIMITS)["gold.dim_time"] == CONTRACTS["DimTime"]


# --- docs/TABLES.md -------------------------------------------------------------------------------


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("aqi_tables_page", ROOT / "scripts" / "tables_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_tables_is_current() -> None:
    script = load_script()
    there = script.PAGE.read_text(encoding="utf-8") if script.PAGE.is_file() else ""
    assert there == script.page(), "docs/TABLES.md is not what the contracts say: run `make docs`"


def test_what_lint_says_of_a_page_that_is_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, page = load_script(), tmp_path / "TABLES.md"
    assert script.main(["--check"], page) == 1, "there is none"
    assert "run `make docs`" in capsys.readouterr().err
    assert (script.main([], page), script.main(["--check"], page)) == (0, 0)
    page.write_text(page.read_text(encoding="utf-8").replace("| no |", "| yes |", 1), encoding="utf-8")
    assert script.main(["--check"], page) == 1
    assert script.main(["--chek"], page) == 2


def test_the_page_of_a_table() -> None:
    small = replace(SMALL, columns=(replace(SMALL.columns[0], description="UUIDv5 of a|b"), SMALL.columns[1]))
    assert tables_page({"gold.small": small, "gold.other": SMALL}, ["gold.small"], "Intro.") == (
        "# Tables\n\nIntro.\n\n## gold.small\n\nSmall.\n\nKey: location.\n\n"
        "| column | type | null | unit | what it holds |\n|---|---|---|---|---|\n"
        "| location | string | no |  | UUIDv5 of a\\|b |\n"
        "| pm25 | double | yes | µg/m³ | Particles |\n\n"
        "Row rules (a row that breaks one goes to quarantine):\n\n"
        "- `implausible`: pm25 > 5,000\n"
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RowRule("key", "null", "ts_utc"), "ts_utc is null"),
        (RowRule("negative", "below", "pm25", 0.0), "pm25 < 0"),
        (RowRule("implausible", "above", "co", 200_000.0), "co > 200,000"),
        (RowRule("implausible", "above", "aod", 0.5), "aod > 0.5"),
        (RowRule("not_finite", "not_finite", "pm25"), "pm25 is NaN or infinite"),
        (RowRule("key", "off_hour", "ts_utc"), "ts_utc is not on the full hour"),
        (RowRule("key", "other_day", "ts_utc", other="date_utc"), "ts_utc does not lie on date_utc"),
    ],
)
def test_a_row_rule_in_words(rule: RowRule, words: str) -> None:
    assert describe(rule) == words

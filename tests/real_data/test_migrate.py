"""``aqi migrate``: columns that are renamed, retyped, tightened or dropped, in one commit, with all records."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.kept.added import lacks, of_then
from tests.support.kept.trees import RANGE, Tree, commits, data_files, row_commits, unpack

pytestmark = pytest.mark.engine

DAILY, HOURLY, SILVER, BRONZE = (
    "gold.fact_city_daily",
    "gold.fact_air_quality_hourly",
    "silver.air_quality_hourly_clean",
    "bronze.open_meteo_hourly",
)
MEASURED = '    hours_measured: T.LongType = _number("Hours with an index", "h", of=["aqi"])\n'
HAZARDOUS = '    hours_in_cat_hazardous: T.LongType = _number("Hours with an index of 301 and more", "h", of=["aqi"])\n'
MEASURED_COLUMNS = "            **{one.column: (T.DoubleType, self.field(one)) for one in MEASURED},\n"
PM25, KIND, COLUMN = 'one.column == "pm25"', "(T.DoubleType", "{one.column:"
MAX = '    aqi_daily_max: T.IntegerType = _number("Highest hourly index", US_AQI, of=["aqi"], nullable=True)\n'


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


@pytest.fixture
def tree(tmp_path: Path, _kept: Path) -> Tree:
    shutil.copytree(_kept, tmp_path / "warehouse")
    return Tree.copy(tmp_path / "project", tmp_path / "warehouse")


def declare_equal(tree: Tree, key: str) -> None:
    """A line that the changed function makes what d35dc26 made, in the columns that both have."""
    (asset,) = [one for one in tree.json("lineage")["assets"] if one["key"] == key]
    lines = (tree.folder / "assets/same_rows.yml").read_text(encoding="utf-8")
    tree.write("assets/same_rows.yml", lines.replace(f"{key}:\n", f"{key}:\n  - same: ['1', '{asset['code_part']}']\n"))


def rows(tree: Tree, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tree.json("show", key, "--limit", "100000")
    return found


def refused(tree: Tree, *call: str) -> str:
    """What a refused call says; nothing was done."""
    before = commits(tree.warehouse)
    done = tree(*call)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert commits(tree.warehouse) == before
    assert "Traceback" not in done.stderr
    return done.stderr


def change_three(tree: Tree) -> None:
    """A column of another name, one of a wider type, one that may no longer be null."""
    tree.edit(
        "assets/contracts.py",
        (MEASURED, MEASURED.replace("hours_measured", "hours_with_index")),
        (MAX, '    aqi_daily_max: T.LongType = _number("Highest hourly index", US_AQI)\n'),
    )
    tree.edit(
        "assets/facts.py",
        ('F.max("aqi").alias("aqi_daily_max")', 'F.max("aqi").cast("long").alias("aqi_daily_max")'),
        ('F.count("aqi").alias("hours_measured")', 'F.count("aqi").alias("hours_with_index")'),
        ('F.col("hours_measured") / 24', 'F.col("hours_with_index") / 24'),
    )


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def test_columns_are_renamed_retyped_and_tightened_in_one_commit(tree: Tree, server: str, engine: str) -> None:
    """Refused before; after it nothing is stale, and nothing was made. Earlier versions can be read as they were."""
    tree.environment |= {"AQI_ENGINE": engine, "PREFECT_API_URL": server}
    then = rows(tree, DAILY)
    change_three(tree)
    declare_equal(tree, DAILY)
    said = refused(tree, "materialize", "*", "--partitions", RANGE)
    assert DAILY in said and "hours_measured" in said and "aqi migrate gold.fact_city_daily" in said
    assert "42 values of it would be lost" in refused(tree, "migrate", DAILY, "--yes")
    costs = tree.json("plan", "--changed", status=1)
    assert [item["asset"] for item in costs["left_out"]] == [DAILY]
    assert "aqi migrate gold.fact_city_daily" in costs["left_out"][0]["reason"]
    before, of_rows, files = commits(tree.warehouse), row_commits(tree.warehouse), data_files(tree.warehouse)
    planned = tree.json("migrate", DAILY, "--rename", "hours_measured=hours_with_index", "--dry-run")
    assert planned["casts"] == [["aqi_daily_max", "integer", "long"]]
    assert commits(tree.warehouse) == before
    done = tree.json("migrate", DAILY, "--rename", "hours_measured=hours_with_index", "--yes")
    assert done == planned
    more = {key: n - before[key] for key, n in commits(tree.warehouse).items() if n != before[key]}
    # deltalake leaves the description of a table as it was; d35dc26 had another one
    assert more == {DAILY: 1 if engine == "spark" else 2}
    assert {key: n - of_rows[key] for key, n in row_commits(tree.warehouse).items() if n != of_rows[key]} == {DAILY: 1}
    assert data_files(tree.warehouse)[DAILY] == files[DAILY] + 1
    want = [
        {"hours_with_index" if name == "hours_measured" else name: value for name, value in row.items()} for row in then
    ]
    assert of_then(rows(tree, DAILY), DAILY) == want
    assert {row["has_last_hour"] for row in rows(tree, DAILY)} == {None}
    others = {key: state for key, state in tree.states().items() if key != DAILY}
    assert others == {key: {("fresh", lacks(key))} for key in others}
    assert {state for state, _ in tree.states()[DAILY]} == {"fresh"}
    assert tree.json("plan", "--changed")["steps"] == []
    assert tree.json("migrate", DAILY)["renames"] == {}
    from deltalake import DeltaTable

    table = DeltaTable(str(tree.warehouse / "gold" / "fact_city_daily"))
    fields = {field.name: field for field in table.schema().fields}
    assert not fields["aqi_daily_max"].nullable
    assert fields["hours_with_index"].metadata["comment"] == "Hours with an index [h]"
    table.load_as_version(1)
    assert "hours_measured" in [field.name for field in table.schema().fields]
    # A new run writes beside it.
    summary = tree.json("materialize", DAILY, "--partitions", "2025-08-08", "--force")
    assert summary["steps"][0]["written"] == ["2025-08-08/danang", "2025-08-08/hanoi", "2025-08-08/hcmc"]
    assert of_then(rows(tree, DAILY), DAILY) == want


@pytest.mark.slow
def test_a_column_with_values_is_dropped_only_if_told(tree: Tree) -> None:
    tree.edit("assets/contracts.py", (HAZARDOUS, ""))
    tree.edit("assets/facts.py", ('    "hazardous": (301, None),\n', ""))
    declare_equal(tree, DAILY)
    said = refused(tree, "migrate", DAILY, "--yes")
    assert f"{DAILY}: its contract has no hours_in_cat_hazardous any more, and 42 values of it would be lost" in said
    assert "--drop hours_in_cat_hazardous" in said
    tree.json("migrate", DAILY, "--drop", "hours_in_cat_hazardous", "--yes")
    assert "hours_in_cat_hazardous" not in rows(tree, DAILY)[0]
    states = tree.states()
    assert states == {key: {("fresh", lacks(key))} for key in states}


def test_what_was_fetched_is_never_dropped(tree: Tree) -> None:
    tree.edit("assets/variables.py", ('    Variable("carbon_dioxide", "co2", "Carbon dioxide", "ppm"),\n', ""))
    tree.edit("config/rules.yml", ("    co2: {low: 250, high: 2000}\n", ""))
    said = refused(tree, "migrate", BRONZE, "--drop", "co2", "--yes")
    assert "co2" in said and "What was fetched is a record" in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (MAX, MAX.replace("T.IntegerType", "T.StringType"), "aqi_daily_max cannot become string (it is integer)"),
        (
            '        unique = ["location_key", "date_utc"]\n',
            '        unique = ["daily_record_id"]\n',
            "the key daily_record_id in place of location_key and date_utc",
        ),
    ],
)
def test_what_no_migration_does(tree: Tree, old: str, new: str, says: str) -> None:
    tree.edit("assets/contracts.py", (old, new))
    assert says in " ".join(refused(tree, "migrate", DAILY, "--yes").split())


def test_values_that_would_not_survive_another_type(tree: Tree) -> None:
    """Said before anything is started; what was fetched has no other way than the contract as it was."""
    other = MEASURED_COLUMNS.replace(KIND, f"(T.IntegerType if {PM25} else T.DoubleType")
    tree.edit("assets/contracts.py", (MEASURED_COLUMNS, other))
    said = refused(tree, "migrate", BRONZE, "--dry-run")
    assert "pm25 cannot become integer (it is double)" in said and "values would not survive it" in said
    assert "Change the contract back." in said


def test_what_the_source_sends_keeps_its_names_and_types(tree: Tree) -> None:
    """Of a contract alone it is refused where columns are declared, of the whole project where it is migrated."""
    other = MEASURED_COLUMNS.replace(COLUMN, f'{{"pm2_5" if {PM25} else one.column:')
    tree.edit("assets/contracts.py", (MEASURED_COLUMNS, other))
    said = refused(tree, "migrate", BRONZE, "--rename", "pm25=pm2_5", "--yes")
    assert "pm2_5 is made of bronze.open_meteo_hourly.pm25, which is no column" in said
    tree.edit("assets/contracts.py", (other, MEASURED_COLUMNS))
    tree.edit("assets/variables.py", ('"carbon_dioxide", "co2"', '"carbon_dioxide", "carbon_dioxide"'))
    tree.edit("config/rules.yml", ("    co2: {", "    carbon_dioxide: {"))
    said = refused(tree, "migrate", BRONZE, "--rename", "co2=carbon_dioxide", "--yes")
    assert "co2 is what its source sends, and a record" in said
    twice = refused(tree, "migrate", DAILY, "--rename", "a=x", "--rename", "a=y", "--yes")
    assert "named twice" in twice


def test_a_required_column_that_rows_have_no_value_for(tree: Tree) -> None:
    tree.edit("assets/contracts.py", (MEASURED, MEASURED + '    sunny: T.LongType = _number("Sunny hours", "h")\n'))
    said = refused(tree, "migrate", DAILY, "--yes")
    assert "adds sunny, which must not be null" in said


def test_nulls_stand_in_the_way_of_tightening(tree: Tree) -> None:
    """A column that is null in one row; and what others changed is mended first."""
    from deltalake import DeltaTable

    tree.edit(
        "assets/contracts.py",
        (
            '"dominant_pollutant of the earliest hour that reaches aqi_daily_max", of=AT_PEAK, nullable=True',
            '"The worst"',
        ),
    )
    assert "let dominant_pollutant_daily no longer be null" in tree.ok("migrate", DAILY, "--dry-run")
    uri = str(tree.warehouse / "gold" / "fact_city_daily")
    DeltaTable(uri).update(updates={"dominant_pollutant_daily": "null"}, predicate="location_key = 'hcmc'")
    assert "somebody else changed it" in refused(tree, "migrate", DAILY, "--yes")

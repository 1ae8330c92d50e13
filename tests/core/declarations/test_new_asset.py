"""A new asset: what it becomes of what is asked for, every refusal, and its source."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.declarations.new_asset import MOST_CHARACTERS, NewAsset, new_asset
from orchestration.core.declarations.source_text import (
    names_in,
    text_of_contract,
    text_of_function,
    text_of_test,
    with_imports,
)
from orchestration.core.errors import UsageError
from orchestration.core.partitions.mappings import AllPartitions, Identity
from orchestration.core.partitions.scheme import DailyByLocation, PartitionScheme
from tests.support.schemes import Weeks

DAILY = DailyByLocation()
KEY = (
    Column("location_key", "string", False, "", "The gauge"),
    Column("read_at", "timestamp", False, "UTC", "Start of the hour"),
)
DAY = Column("date_utc", "date", False, "", 'The "UTC" day')
LEVEL = Column("level_m", "double", True, "m", "Level")


def declared(key: str, partitions: PartitionScheme | None = DAILY) -> Asset:
    return Asset(key, "Text.", lambda: None, (), None, partitions, key, (), frozenset(), ())


CATALOG = Catalog(
    [
        declared("silver.levels"),
        declared("gold.floods", DailyByLocation(day_column="began_day")),
        declared("gold.gauges", None),
        declared("gold.alarms", None),
        declared("gold.weekly", Weeks()),
    ]
)
CONTRACTS = {
    "silver.levels": Contract("Levels", "Levels.", (*KEY, DAY, LEVEL), ("location_key", "read_at")),
    "gold.floods": Contract(
        "Floods",
        "Floods.",
        (KEY[0], Column("began_day", "date", False, "", "The day"), Column("number", "integer", False, "", "One")),
        ("location_key", "began_day", "number"),
    ),
    "gold.gauges": Contract("Gauges", "Gauges.", (KEY[0],), ("location_key",)),
    "gold.alarms": Contract("Alarms", "Alarms.", (Column("code", "string", False, "", "One"),), ("code",)),
    "gold.weekly": Contract("Weekly", "Weeks.", (KEY[0], DAY), ("location_key", "date_utc")),
}


def made(key: str = "gold.daily_levels", *upstream: str, **more: Any) -> NewAsset:
    return new_asset(CATALOG, CONTRACTS, key, upstream, **more)


def test_one_of_another_has_its_partitions_and_its_key() -> None:
    found = made("gold.daily_levels", "silver.levels")
    assert (found.layer, found.name, found.contract) == ("gold", "daily_levels", "DailyLevels")
    assert (found.upstream, found.scheme, found.joined) == ((Identity("silver.levels"),), DAILY, {})
    assert [column.name for column in found.columns] == ["location_key", "read_at", "date_utc"]
    assert [column.made_of for column in found.columns] == [("location_key",), ("read_at",), ("date_utc",)]
    assert found.unique == ("location_key", "read_at")
    assert found.description == "A row for each of silver.levels."
    assert made("gold.daily_levels", "silver.levels", cut="daily") == found
    assert made("gold.daily_levels", "silver.levels", description="A day").description == "A day."


def test_what_has_partitions_comes_first_and_is_joined_with_the_rest() -> None:
    found = made("gold.more", "gold.gauges", "gold.floods", "gold.alarms", "silver.levels")
    assert found.upstream == (
        Identity("gold.floods"),
        AllPartitions("gold.gauges"),
        AllPartitions("gold.alarms"),
        Identity("silver.levels"),
    )
    assert found.scheme == DailyByLocation(day_column="began_day")
    assert found.joined == {
        "gold.gauges": (("location_key", "location_key"),),
        "gold.alarms": (),
        "silver.levels": (("began_day", "date_utc"), ("location_key", "location_key")),
    }
    assert found.columns[-1].name == "alarms_rows"


def test_one_of_unpartitioned_assets_or_of_none_is_unpartitioned() -> None:
    found = made("gold.seasons", "gold.gauges")
    assert (found.upstream, found.scheme, found.unique) == ((AllPartitions("gold.gauges"),), None, ("location_key",))
    alone = made("gold.seasons", cut="unpartitioned")
    assert (alone.upstream, alone.scheme, alone.unique, alone) == ((), None, ("key",), made("gold.seasons"))


@pytest.mark.parametrize(
    ("key", "upstream", "more", "says", "remedy"),
    [
        ("daily", (), {}, "must be LAYER.NAME", "For instance gold.daily."),
        ("brass.daily", (), {}, "must be LAYER.NAME", "Layers are bronze, silver, gold."),
        ("silver.levels", (), {}, "is there already", "aqi lineage silver.levels"),
        ("gold.levels", (), {}, "silver.levels has the same name", "take another"),
        ("gold.DailyLevels", (), {}, "a name must be", "gold.daily_levels."),
        ("gold.daily-levels", (), {}, "a name must be", "gold.daily_levels."),
        ("gold.", (), {}, "a name must be", "gold.my_table."),
        ("gold.1st", (), {}, "a name must be", "gold.my_table."),
        ("gold.a__b", (), {}, "a name must be", "gold.a_b."),
        ("gold.täglich", (), {}, "a name must be", "gold.t_glich."),
        ("gold.a.b", (), {}, "a name must be", "gold.a_b."),
        ("gold.../../etc", (), {}, "a name must be", "gold.etc."),
        (f"gold.{'x' * (MOST_CHARACTERS + 1)}", (), {}, "at most 60 characters (got 61)", "shorter"),
        ("gold.class", (), {}, "a word of Python's", "gold.class_table."),
        ("gold.match", (), {}, "a word of Python's", ""),
        ("gold.sum", (), {}, "a word of Python's", ""),
        ("gold.new", ("silver.level",), {}, "upstream 'silver.level' is unknown", "Did you mean silver.levels?"),
        ("gold.new", ("levels",), {}, "upstream 'levels' is unknown", "Did you mean silver.levels?"),
        ("gold.new", ("xyz",), {}, "upstream 'xyz' is unknown", "Known are "),
        ("gold.new", ("silver.levels", "silver.levels"), {}, "silver.levels is named twice", "once"),
        ("gold.new", ("silver.levels",), {"cut": "unpartitioned"}, "cannot be declared", "Leave out --partitions"),
        ("gold.new", (), {"cut": "daily"}, "made from others, or fetched", "--upstream"),
        ("gold.new", ("gold.gauges",), {"cut": "daily"}, "none of gold.gauges has days", "partitioned by day"),
        ("gold.new", ("silver.levels", "gold.weekly"), {}, "partitions of other periods", "Name one"),
        ("gold.new", (), {"description": 'A "day"'}, "a description must be one line", "docstring"),
        ("gold.new", (), {"description": "a\nb"}, "a description must be one line", "docstring"),
        ("gold.new", (), {"description": "x" * 101}, "at most 100 characters", "docstring"),
        ("gold.new", (), {"description": "\\"}, "a description must be one line", "docstring"),
    ],
)
def test_what_is_refused(key: str, upstream: tuple[str, ...], more: dict[str, Any], says: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(key, *upstream, **more)
    assert says in caught.value.message and remedy in caught.value.remedy and caught.value.remedy


def test_two_upstream_assets_of_one_name_are_refused() -> None:
    catalog = CATALOG.with_asset(declared("gold.levels"))
    with pytest.raises(UsageError, match=r"silver\.levels and gold\.levels have the same name"):
        new_asset(
            catalog,
            {**CONTRACTS, "gold.levels": CONTRACTS["silver.levels"]},
            "gold.new",
            ("silver.levels", "gold.levels"),
        )


# --- text -----------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z]{2,6}(_[a-z0-9]{1,9}){1,4}", fullmatch=True)
upstreams = st.lists(st.sampled_from(["silver.levels", "gold.floods", "gold.gauges", "gold.alarms"]), unique=True)


@given(names, upstreams)
def test_the_text_is_python_of_these_names(name: str, upstream: list[str]) -> None:
    new = made(f"gold.{name}", *upstream)
    scheme = "DAILY" if new.scheme is not None else ""
    function, contract, test = text_of_function(new, scheme), text_of_contract(new), text_of_test(new, "rivers")
    assert names_in(function) == {new.name} and names_in(contract) == {new.contract}
    assert {"KEY", "CATALOG", "made", "test_what_it_is_made_of", "test_what_it_makes_of_rows"} <= names_in(test)
    (made_function,) = ast.parse(function).body
    assert isinstance(made_function, ast.FunctionDef)
    assert [one.arg for one in made_function.args.args] == [one.of.partition(".")[2] for one in new.upstream]
    read = {node.id for node in ast.walk(made_function) if isinstance(node, ast.Name)}
    assert {one.arg for one in made_function.args.args} <= read, "an upstream asset that is not read is refused by runs"


@pytest.mark.parametrize(
    ("before", "module", "name", "after"),
    [
        ("from a import b\n", "a", "b", "from a import b\n"),
        ("from a import b\n", "a", "c", "from a import b, c\n"),
        ("from a import b\n", "a", "B", "from a import B, b\n"),
        ("from a import B\n", "a", "CONST", "from a import CONST, B\n"),
        (
            "from pyspark.sql import functions as F\n",
            "pyspark.sql",
            "functions as F",
            "from pyspark.sql import functions as F\n",
        ),
        ("from a import b\n", "a", "functions as F", "from a import b\nfrom a import functions as F\n"),
        ("import os\n\nfrom b import c\n", "own.x", "y", "import os\n\nfrom b import c\n\nfrom own.x import y\n"),
        ("from own.x import y\n", "a", "b", "from a import b\n\nfrom own.x import y\n"),
        ("from own.b import y\n", "own.a", "x", "from own.a import x\nfrom own.b import y\n"),
        ('"""Text."""\n', "a", "b", '"""Text."""\nfrom a import b\n\n'),
    ],
)
def test_imports(before: str, module: str, name: str, after: str) -> None:
    assert with_imports(before, {module: [name]}, ["own"]) == after

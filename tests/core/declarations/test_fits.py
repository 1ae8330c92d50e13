"""Contracts that do not fit their assets: each is told before anything is made, with what to write instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Column, Contract, RowRule
from orchestration.core.declarations.fits import check_fits, check_reads
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.mappings import Identity, PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation

LOCATION, DAY = Column("location_key", "string", False, "", "Where"), Column("date_utc", "date", False, "", "When")
LEVEL = Column("level_m", "double", True, "m", "Level")
HOUR = Column("ts_utc", "timestamp", False, "UTC", "Hour")
LEVELS = Contract("Levels", "Levels.", (LOCATION, DAY, HOUR, LEVEL), ("location_key", "ts_utc"))
SMALL = Contract("Small", "Small.", (LOCATION, DAY, LEVEL), ("location_key", "date_utc"))
LOW = RowRule("negative", "below", "level_m", 0.0)


def asset(*upstream: PartitionMapping, **more: Any) -> Asset:
    made = Asset("gold.small", "Text.", lambda: None, upstream, None, DailyByLocation(), "Small", (), frozenset(), ())
    return replace(made, **more)


def with_columns(*columns: Column) -> Contract:
    return replace(SMALL, columns=columns)


def test_one_that_fits() -> None:
    check_fits(asset(), SMALL, ["row_rules"])
    check_fits(asset(partitions=None), Contract("Small", "Small.", (LEVEL, LOCATION), ("location_key",)), [])
    check_fits(asset(parameters=("row_rules",)), replace(SMALL, rules=(LOW,)), ["row_rules"])
    check_fits(asset(), replace(SMALL, rules=(LOW,)), None)


@pytest.mark.parametrize(
    ("contract", "more", "says", "remedy"),
    [
        (
            replace(SMALL, key=("day",)),
            {},
            "has no column 'day', which its key names",
            "location_key, date_utc, level_m",
        ),
        (
            with_columns(replace(LOCATION, nullable=True), DAY, LEVEL),
            {},
            "lets location_key of its key be null",
            "Leave out nullable=True",
        ),
        (
            replace(SMALL, columns=(LOCATION, LEVEL), key=("location_key",)),
            {},
            "has no column 'date_utc', which says of which partition a row is",
            "Add date_utc: T.DateType, and make it; or name another: partitions=DailyByLocation(day_column=…).",
        ),
        (
            replace(SMALL, columns=(DAY, LEVEL), key=("date_utc",)),
            {},
            "has no column 'location_key', which says of which partition a row is",
            "Add location_key: T.StringType, and make it; or name another: ",
        ),
        (
            with_columns(LOCATION, replace(DAY, type="string"), LEVEL),
            {},
            "says that date_utc is string, and it says of which partition a row is",
            "It must be date and not null: date_utc: T.DateType.",
        ),
        (
            replace(SMALL, columns=(LOCATION, replace(DAY, nullable=True), LEVEL), key=("location_key",)),
            {},
            "says that date_utc is date, nullable",
            "It must be date and not null: date_utc: T.DateType.",
        ),
        (
            SMALL,
            {"identifiers": {"id": lambda: None}},
            "has no column 'id', which identifiers names",
            "Add id: T.String",
        ),
        (replace(SMALL, rules=(LOW,)), {}, "has a row rule (level_m < 0), and nothing applies it", "checks=[Check(…)]"),
    ],
)
def test_one_that_does_not(contract: Contract, more: dict[str, Any], says: str, remedy: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        check_fits(asset(**more), contract, ["row_rules"])
    assert caught.value.message.startswith(f"asset gold.small: its contract Small {says}")
    assert remedy in caught.value.remedy


def made_of(*columns: str) -> Contract:
    return with_columns(LOCATION, DAY, replace(LEVEL, made_of=columns))


@pytest.mark.parametrize(
    ("contract", "mapping", "says", "remedy"),
    [
        (
            made_of("level"),
            Identity("silver.levels"),
            "its contract Small says that level_m is made of silver.levels.level, which is no column",
            "Did you mean level_m?",
        ),
        (
            made_of("silver.levels.xyz"),
            Identity("silver.levels"),
            "its contract Small says that level_m is made of silver.levels.xyz, which is no column",
            "Its columns are location_key, date_utc, ts_utc, level_m.",
        ),
        (
            SMALL,
            RunWindow("silver.levels", column="level", at_least="x.y"),
            "the mapping RunWindow has column='level', which is no column of silver.levels",
            "It must be a number. Did you mean level_m?",
        ),
        (
            SMALL,
            RunWindow("silver.levels", column="location_key", at_least="x.y"),
            "the mapping RunWindow has column='location_key', which is string in silver.levels",
            "It must be a number.",
        ),
        (
            SMALL,
            RunWindow("silver.levels", column="level_m", at_least="x.y", instant="date_utc"),
            "the mapping RunWindow has instant='date_utc', which is date in silver.levels",
            "It must be the timestamp of a row's hour.",
        ),
    ],
)
def test_columns_that_are_not_upstream(contract: Contract, mapping: PartitionMapping, says: str, remedy: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        check_reads(asset(mapping), {"gold.small": contract, "silver.levels": LEVELS})
    assert caught.value.message == f"asset gold.small: {says}"
    assert remedy in caught.value.remedy


def test_columns_that_are() -> None:
    window = RunWindow("silver.levels", column="level_m", at_least="x.y")
    for mapping in (Identity("silver.levels"), window):
        for contract in (SMALL, made_of("level_m", "silver.levels.ts_utc"), made_of()):
            check_reads(asset(mapping), {"gold.small": contract, "silver.levels": LEVELS})

"""Maintenance of raw answers and moments: packed, removed by retention; orphans, broken and missing ones named."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.project import load
from resources.raw.renames import Renamed
from tests.support.cli_calls import Aqi, tree
from tests.support.raw_bronze import ALL_HOURS, BRONZE, RawBronze, ago, key, record

RAW = ("raw_packed", "raw_removed", "moments_packed", "orphans", "broken", "missing")


@pytest.fixture
def bronze(tmp_path: Path) -> RawBronze:
    return RawBronze(tmp_path / "lake")


def raw_files(bronze: RawBronze) -> list[str]:
    return sorted(path.name for path in (bronze.folder / "_aqi" / "raw").rglob("*") if path.is_file())


def test_answers_are_packed_and_removed_by_retention(bronze: RawBronze) -> None:
    """An answer from 50 days ago that owns rows stays; one that lost its last 40 days ago goes."""
    owner, replaced, by, turned, young = (ago(days) for days in (50, 45, 40, 10, 0.5))
    for asked in (owner, replaced, by, turned):
        bronze.keep(asked)
    bronze.keep(replaced, "2025-08-17")
    bronze.keep(young, "2025-08-19")
    first = {key("2025-08-18"): record((owner, 1), (replaced, ALL_HOURS - 1)), key("2025-08-17"): record((replaced, 3))}
    bronze.commit(first, at=replaced)
    then = {key("2025-08-18"): record((owner, 1), (by, 14), turned_away=((turned, 2),)), key("2025-08-19"): record()}
    bronze.commit({**then, key("2025-08-17"): record((replaced, 3))}, at=turned)
    bronze.moments.keep(BRONZE, "run-7", {key("2025-08-19"): young})
    done = bronze.upkeep()
    assert done.raw_packed == 5, "all but the one of yesterday"
    assert done.raw_removed == 1
    assert bronze.kept == [owner, replaced, by, turned, young]
    assert [file.first.day for file in bronze.raw.all(BRONZE).files if file.asked == replaced] == [17]
    assert (done.orphans, done.broken, done.missing) == ((), (), 0)
    assert "5 raw answers packed, 1 raw answers removed" in done.in_words()
    again = bronze.upkeep()
    assert (again.raw_packed, again.raw_removed) == (0, 0)


def test_by_bytes(tmp_path: Path) -> None:
    bronze = RawBronze(tmp_path / "lake", retention_bytes=1)
    for days in (20, 15, 10, 5):
        bronze.keep(ago(days))
    bronze.commit({key("2025-08-18"): record((ago(20), 1), (ago(5), 2), turned_away=((ago(10), 4),))})
    assert bronze.upkeep().raw_removed == 2
    assert bronze.kept == [ago(20), ago(5)]


def test_where_owners_need_not_stay(tmp_path: Path) -> None:
    bronze = RawBronze(tmp_path / "lake", keep_owned=False)
    bronze.keep(ago(31))
    bronze.keep(ago(20), "2025-08-17")
    bronze.commit({key("2025-08-18"): record((ago(31), 1)), key("2025-08-17"): record((ago(20), 1))})
    assert bronze.upkeep().raw_removed == 1
    assert bronze.kept == [ago(20)]
    assert bronze.upkeep().missing == 0, "it went by its age, before all that are kept"


def test_orphans_broken_and_missing_ones_are_named_and_harmless(bronze: RawBronze) -> None:
    bronze.keep(ago(3))
    bronze.keep(ago(2))
    orphan = bronze.keep(ago(1.5), run_id="killed")
    current = bronze.keep(ago(0))
    bronze.commit(
        {
            key("2025-08-18"): record((ago(3), 1), (ago(2), 2)),
            key("2025-08-17"): record((ago(2.5), 1)),
            key("2025-08-16"): record(("", None)),
            key("2025-08-15"): record((ago(3.1), 1)),
        }
    )
    bronze.moments.keep(BRONZE, "run-7", {key("2025-08-18"): ago(0)})
    (bronze.folder / "_aqi/moments" / BRONZE / "run-8.json").write_text("{", encoding="utf-8")
    broken = bronze.folder / "_aqi/raw" / bronze.raw.all(BRONZE).files[0].path
    broken.write_bytes(b"")
    summary = bronze.maintain()
    (done,) = summary.tables
    assert summary.exit_status == 0
    assert [name.partition("/")[2] for name in done.orphans] == [orphan]
    assert current not in "".join(done.orphans), "the moments name it"
    assert [path.partition(" (")[0].rpartition("/")[2] for path in done.broken] == [broken.name, "run-8.json"]
    assert done.missing == 2, "the broken one's, and one that is gone; none was kept before that, or by format 1"
    words = summary.in_words()
    assert f"raw answers that no commit names: 2025-08-18/{orphan}" in words
    assert f"broken: {BRONZE}/2025-08-17/{broken.name} (" in words
    assert "2 partitions have rows whose raw answer is not there" in words
    (told,) = summary.to_json()["tables"]
    assert [told[name] for name in RAW] == [asdict(done)[name] for name in RAW]
    assert broken.exists()


def test_a_table_from_before_answers_were_kept_misses_none(bronze: RawBronze) -> None:
    first = {key("2025-08-17"): record((ago(9), None)), key("2025-08-18"): record((ago(5), 1), (ago(9), 2))}
    bronze.commit(first, at=ago(9))
    assert bronze.upkeep().missing == 0
    bronze.keep(ago(5))
    assert bronze.upkeep().missing == 0
    bronze.commit({key("2025-08-16"): record((ago(4), None))}, at=ago(4))
    assert bronze.upkeep().missing == 1


def test_in_a_broken_pack_answers_were_kept_from_its_day_on(bronze: RawBronze) -> None:
    bronze.keep(ago(5), "2025-08-14")
    bronze.commit({key("2025-08-14"): record((ago(5), None)), key("2025-08-18"): record((ago(6), None))}, at=ago(4))
    assert bronze.upkeep().raw_packed == 1
    (pack,) = (bronze.folder / "_aqi/raw" / BRONZE).rglob("pack_*")
    pack.write_bytes(b"")
    done = bronze.upkeep()
    assert (done.missing, len(done.broken)) == (1, 1)


def test_what_an_earlier_commit_named_is_no_orphan(bronze: RawBronze) -> None:
    bronze.keep(ago(9))
    bronze.keep(ago(8))
    bronze.keep(ago(7))
    bronze.commit({key("2025-08-18"): record((ago(9), None))})
    bronze.commit({key("2025-08-18"): record((ago(7), None))})
    assert [name[:10] for name in bronze.upkeep().orphans] == ["2025-08-12"]


def test_what_was_wiped_lately_stays(bronze: RawBronze) -> None:
    for day in ("2025-08-17", "2025-08-18"):
        bronze.keep(ago(50), day)
    bronze.commit({key(day): record((ago(50), None)) for day in ("2025-08-17", "2025-08-18")}, at=ago(50))
    bronze.commit({}, at=ago(40), wiped=PartitionSet.one(key("2025-08-17")))
    bronze.commit({}, at=ago(20), wiped=PartitionSet.one(key("2025-08-18")))
    bronze.upkeep()
    assert [file.first.day for file in bronze.raw.all(BRONZE).files] == [18]


def renamed(
    bronze: RawBronze, records: dict[str, PartitionRecord], at: str, old: str = "hanoi", new: str = "hue"
) -> None:
    """The commit of a renaming, and what is said of it to kept answers. records: by day."""
    gone = PartitionSet.from_keys(key(day, old) for day in records)
    bronze.commit({key(day, new): one for day, one in records.items()}, at, gone, run_id=f"to-{new}")
    bronze.raw.rename(BRONZE, Renamed(old, new, f"to-{new}"))


def test_across_renamings(bronze: RawBronze) -> None:
    """What commits before them said is said of today's keys; a renaming is no removal."""
    for days, day in (
        (60, "2025-08-18"),
        (50, "2025-08-18"),
        (50, "2025-08-17"),
        (50, "2025-08-16"),
        (40, "2025-08-18"),
    ):
        bronze.keep(ago(days), day)
    orphan = bronze.keep(ago(9), "2025-08-15")
    there = {key(day): record((ago(50), None)) for day in ("2025-08-16", "2025-08-17", "2025-08-18")}
    bronze.commit({key("2025-08-18"): record((ago(60), None))}, at=ago(60))
    bronze.commit(there, at=ago(50))
    bronze.commit({key("2025-08-18"): record((ago(40), None))}, at=ago(40))
    bronze.commit({}, at=ago(20), wiped=PartitionSet.one(key("2025-08-16")))
    bronze.commit({}, at=ago(35), wiped=PartitionSet.one(key("2025-08-17")))
    renamed(bronze, {"2025-08-18": record((ago(40), None))}, ago(5))
    renamed(bronze, {"2025-08-18": record((ago(40), None))}, ago(4), "hue", "vinh")
    done = bronze.upkeep()
    assert [name.partition("/")[2] for name in done.orphans] == [orphan]
    assert (done.missing, done.broken) == (0, ())
    left = [(file.asked, file.first.day, file.locations) for file in bronze.raw.all(BRONZE).files]
    assert left == [(ago(50), 16, ("vinh",)), (ago(40), 18, ("vinh",)), (ago(9), 15, ("vinh",))]
    assert done.raw_removed == 3, "replaced 40 days ago, and wiped 35 days ago"


def test_another_location_has_the_old_key_since(bronze: RawBronze) -> None:
    """Its removal is not that of the renamed one, whose key it has."""
    bronze.keep(ago(50))
    bronze.commit({key("2025-08-18"): record((ago(50), None))}, at=ago(50))
    renamed(bronze, {"2025-08-18": record((ago(40), None))}, ago(40))
    bronze.keep(ago(40), run_id="run-2")
    bronze.commit({key("2025-08-18"): record((ago(40), None))}, at=ago(40))
    bronze.commit({}, at=ago(2), wiped=PartitionSet.one(key("2025-08-18")))
    done = bronze.upkeep()
    assert (done.orphans, done.missing) == ((), 1), "the table says of the renamed one what nobody kept"
    assert [(file.asked, file.locations) for file in bronze.raw.all(BRONZE).files] == [(ago(40), ("hanoi",))]


def test_answers_of_a_table_that_is_lost_stay(bronze: RawBronze) -> None:
    bronze.keep(ago(400))
    before = raw_files(bronze)
    assert bronze.maintain().tables == ()
    assert raw_files(bronze) == before
    bronze.commit({key("2025-08-01"): record((ago(2), None))}, at=ago(2))
    assert bronze.upkeep().raw_removed == 0, "it was made anew two days ago: until then they were a table's"


def test_moments_are_put_together(bronze: RawBronze) -> None:
    bronze.commit({key("2025-08-18"): record()})
    for number, days in enumerate((50, 40, 4, 3, 0.5)):
        bronze.moments.keep(BRONZE, f"run-{number}", {key("2025-08-18"): ago(days), key("2025-08-17"): ago(days)})
    read = bronze.moments.read(BRONZE)
    done = bronze.upkeep()
    assert done.moments_packed == 4
    assert "moments of 4 runs put together" in done.in_words()
    assert len(list((bronze.folder / "_aqi/moments" / BRONZE).iterdir())) == 2
    assert bronze.moments.read(BRONZE) == read
    assert bronze.moments.named(BRONZE).keys() == {ago(4), ago(3), ago(0.5)}
    assert bronze.upkeep().moments_packed == 0


def test_a_dry_run_does_nothing_and_says_what_would_be_done(bronze: RawBronze) -> None:
    for days in (50, 40, 3):
        bronze.keep(ago(days))
    bronze.keep(ago(2), "2025-08-17")
    bronze.commit({key("2025-08-18"): record((ago(40), 1))}, at=ago(55))
    bronze.moments.keep(BRONZE, "run-7", {key("2025-08-18"): ago(3)})
    before = tree(bronze.folder)
    (would,) = bronze.maintain(dry_run=True).tables
    assert tree(bronze.folder) == before
    (did,) = bronze.maintain().tables
    assert [asdict(would)[name] for name in RAW] == [asdict(did)[name] for name in RAW]
    assert (did.raw_packed, did.raw_removed, did.moments_packed, len(did.orphans)) == (4, 1, 1, 2)


def test_the_command(aqi: Aqi, bronze: RawBronze) -> None:
    bronze.keep(ago(3))
    bronze.commit({key("2025-08-18"): record((ago(3), 1))})
    done = aqi.json("maintenance", AQI_WAREHOUSE__URI=str(bronze.folder))
    (table,) = done["tables"]
    assert [table[name] for name in RAW] == [1, 0, 0, [], [], 0]
    assert done["state"] == "completed"


@pytest.mark.parametrize(
    ("name", "value"),
    [("RETENTION_DAYS", "0"), ("RETENTION_DAYS", "nan"), ("RETENTION_DAYS", "inf"), ("RETENTION_BYTES", "0")],
)
def test_settings_out_of_bounds(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"AQI_RAW__{name}.*raw\.{name.lower()}"):
        load(environment={f"AQI_RAW__{name}": value})


def test_settings() -> None:
    raw = load(environment={}).raw
    assert (raw.retention_days, raw.retention_bytes, raw.keep_owned) == (30, None, True)
    raw = load("yarn", environment={"AQI_RAW__RETENTION_BYTES": "1000000", "AQI_RAW__KEEP_OWNED": "false"}).raw
    assert (raw.retention_days, raw.retention_bytes, raw.keep_owned) == (30, 1000000, False)

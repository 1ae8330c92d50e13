"""Writes docs/TABLES.md from the contracts, with the limits of the profile ``local``.

python scripts/tables_page.py           writes
python scripts/tables_page.py --check   exit status 1 where the page is not what the contracts say
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.core.declarations.asset import Asset

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "TABLES.md"
INTRO = (
    "Every table with its columns, as its contract in `assets/contracts.py` declares them. Limits are those of "
    "`config/rules.yml`. Made by `make docs`; do not edit.\n\n"
    "**Which day.** Timestamps are UTC instants, and a day is a UTC day, in every table and in `--partitions`: 00:00 "
    "to 24:00 UTC, in Hà Nội 07:00 to 07:00. The local clock is in the columns that end in `_local`, and nowhere else: "
    "`ts_local`, `date_local` and `hour_local` of gold.fact_air_quality_hourly. So a local day is "
    "`GROUP BY location_key, date_local`, and the shift of an hour is `JOIN dim_time ON hour = hour_local`; "
    "`time_key` is the UTC hour.\n\n"
    "**Which completeness.** `concentrations_measured` (of ten) is of an hour, `hours_measured` (of 24) of a day. "
    "`data_completeness` is the one as a percentage in gold.fact_air_quality_hourly, and the other in "
    "gold.fact_city_daily: two things of one name, which stays as it is for whoever reads it. A day is *open* while "
    "`has_last_hour` is false, an episode while `is_open` is true: more may come. Both follow from rows alone, so a "
    "day whose last hour never came, or is in quarantine, stays open.\n\n"
    "**Columns that were added** are null in rows of before: `aqi status` marks these partitions *without …*, and "
    "`aqi materialize ASSET --partitions RANGE --force` fills them."
)


def partition_of(asset: Asset) -> str:
    """What a partition of a table is, and which column says of which day."""
    if asset.partitions is None:
        return "Not partitioned: made from configuration."
    columns = asset.partitions.columns
    return f"Partition: a UTC day (`{columns.day}`) of a location (`{columns.location}`)."


def page() -> str:
    """The text of docs/TABLES.md as it has to be now; made from the models, not from a kept form."""
    from assets import CATALOG
    from orchestration.core.declarations.asset import LAYERS
    from orchestration.core.declarations.contract import tables_page
    from orchestration.project import PROJECT, load

    named = PROJECT.contracts(load("local", environment={})).make()
    keys = sorted(CATALOG.keys, key=lambda key: LAYERS.index(CATALOG.layer_of(key)))
    partitions = {asset.key: partition_of(asset) for asset in CATALOG}
    return tables_page({asset.key: named[asset.contract] for asset in CATALOG}, keys, INTRO, partitions)


def main(arguments: list[str], file: Path = PAGE) -> int:
    """Writes the page, or with `--check` only compares it."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/tables_page.py [--check]", file=sys.stderr)
        return 2
    made = page()
    if not arguments:
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != made:
        print(f"{file.name} is not what the contracts say: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))

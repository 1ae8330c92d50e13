"""The page *The air*: the project's figures by day and location, and its spells on a time line.

The project names the tables and columns (``Project.figures``). A project without figures has no such page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import day_of
from orchestration.core.errors import LakehouseError, UsageError, in_a_line
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.table_state import TableState
from orchestration.reports.page.figures import Locations, daily_facts, locations_in, spell_facts
from orchestration.reports.page.found import Found

if TYPE_CHECKING:
    import pyarrow as pa

TITLE = "The air"


def facts(found: Found) -> dict[str, Any] | None:
    """JSON values; None if the project has no figures, or none for the assets of the report.

    today: the day of the report.
    asset: the asset with the daily figure. values: the figure's name. because: the name of its explanation.
    categories: [name, letter, low, colour].
    locations: [key, name].
    spell: the words for one spell and for several; null without spells.
    daily: see ``daily_facts``. spells: see ``spell_facts``. null where there is nothing to show.
    trouble: sentences about tables that cannot be read.
    """
    figures = found.workspace.project.figures
    if figures is None or figures.daily.asset not in found.keys:
        return None
    daily, spells, trouble = figures.daily, figures.spells, list[str]()
    locations, values = Locations([]), dict[str, Any](daily=None, spells=None)
    columns = [daily.value, daily.because[0], *(category.hours for category in daily.categories)]
    with _reported(daily.asset, trouble):
        rows, at = _rows(found, daily.asset, columns)
        configured = {location.key: location.name for location in found.workspace.settings.locations}
        locations = Locations.of(configured, locations_in(rows, at))
        values["daily"] = daily_facts(rows, at, daily, locations)
    if spells is not None and spells.asset in found.keys and locations.listed:
        with _reported(spells.asset, trouble):
            of_spells = [spells.start, spells.hours, spells.peak, spells.because]
            rows, at = _rows(found, spells.asset, of_spells, [spells.open] if spells.open else [])
            values["spells"] = spell_facts(rows, at, spells, locations)
    return {
        "today": day_of(found.current.now).isoformat(),
        "asset": daily.asset,
        "told": daily.title,
        "because": daily.because[1],
        "categories": [[one.name, one.letter, one.low, one.color] for one in daily.categories],
        "locations": locations.listed,
        "spell": None if spells is None else list(spells.names),
        **values,
        "trouble": trouble,
    }


@contextmanager
def _reported(key: str, trouble: list[str]) -> Iterator[None]:
    """Go on without a table that cannot be read: its error is added to ``trouble``."""
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        yield
    except LakehouseError as error:
        trouble.append(f"{error.message}. {error.remedy}")
    except (DeltaError, pa.ArrowException, OSError, KeyError, ValueError) as error:
        trouble.append(f"{key} cannot be read: {in_a_line(error)}")


def _rows(
    found: Found, key: str, columns: list[str], if_there: Sequence[str] = ()
) -> tuple[pa.Table, PartitionColumns]:
    """Some columns of all rows of a table; and the names of its columns of day and location, which are among them.

    if_there: further columns, which tables of earlier versions may not have.
    """
    warehouse, asset = found.workspace.warehouse, found.workspace.catalog[key]
    at, version = asset.partition_columns, warehouse.newest(asset)
    assert at is not None, "figures are of assets that have days"
    if version is None:
        raise UsageError(f"{key} has no table yet", f"Make it: aqi materialize '+{key}' --partitions RANGE")
    state = found.states.get(key, TableState())
    there = {field["name"] for field in warehouse.schema(key, state)[0]} if if_there else set()
    return warehouse.read_arrow(key, version, [*at, *columns, *(name for name in if_there if name in there)]), at

"""An hour, in which one day of three locations changes: the first, the one after 72, and what it costs at the least."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import assets
from resources.machine.clock import fixed_clock
from scripts.benches.against_plain import LOCATIONS, need_java
from scripts.benches.declared import Bench, Ratio, Side
from scripts.benches.processes import Failed
from scripts.benches.site import AQI, Site, Span, module

BEFORE = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
"""When the warehouse was filled; the first hour comes an hour later."""
HOURS = 72
"""Whole days, so that the day that changes has as many hours as in the first."""
FILLED_DAYS = 20
"""More than `--hourly` looks back."""
GOAL = 1.2


def hourly(site: Site) -> Bench:
    """`aqi materialize '*' --hourly` on Spark against a bare session with a bare commit to every changed table."""
    need_java()
    hours = 24 if site.smoke else HOURS
    first, later = BEFORE + timedelta(hours=1), BEFORE + timedelta(hours=hours + 1)
    filled = Span((BEFORE - timedelta(days=FILLED_DAYS - 1)).date(), BEFORE.date())
    _call(site, "filled", BEFORE, site.materialize(LOCATIONS, filled))
    site.copied("filled", "later")()
    for number in range(1, hours + 1, 6 if site.smoke else 1):
        _call(site, "later", BEFORE + timedelta(hours=number), _command(site))
    changed = _changed(site, first)
    sides = [
        Side("first", "the first hour, engine spark, a Prefect server running", [_command(site)],
             _environment(site, "hour", first, "spark"), _ahead(site, "filled", first)),
        Side("later", f"the hour after {hours} of them, engine spark", [_command(site)],
             _environment(site, "hour", later, "spark"), _ahead(site, "later", later)),
        Side("bare-append", f"a Spark session, and {len(changed)} bare commits that add the day's rows",
             [module("bare_hour", "append", str(BEFORE.date()), *changed)], site.environment("hour"),
             _ahead(site, "filled", first)),
        Side("bare-replace", f"a Spark session, and {len(changed)} bare commits that replace the day's rows",
             [module("bare_hour", "replace", str(BEFORE.date()), *changed)], site.environment("hour"),
             _ahead(site, "filled", first)),
        Side("first-embedded", "the first hour, embedded engine", [_command(site)],
             _environment(site, "hour", first, "embedded"), _ahead(site, "filled", first)),
        Side("later-embedded", f"the hour after {hours} of them, embedded engine", [_command(site)],
             _environment(site, "hour", later, "embedded"), _ahead(site, "later", later)),
    ]  # fmt: skip
    ratios = [
        Ratio("first", "bare-append", goal=GOAL),
        Ratio("first", "bare-replace", goal=GOAL),
        Ratio("later", "first", goal=GOAL),
        Ratio("later-embedded", "first-embedded", goal=GOAL),
    ]
    return Bench("hourly", "An hour, one day of three locations changes", sides, ratios)


def _command(site: Site) -> list[str]:
    return [AQI, "materialize", "*", "--hourly", "--profile", site.profile(LOCATIONS)]


def _environment(site: Site, name: str, at: datetime, engine: str) -> Mapping[str, str]:
    return site.environment(name, engine=engine, server=True, AQI_CLOCK__NOW=at.isoformat())


def _ahead(site: Site, source: str, at: datetime) -> Callable[[], None]:
    """Sets the clock of the source, and the warehouse back to what it was before the hour."""
    copy = site.copied(source, "hour")

    def ahead() -> None:
        site.simulator.now = fixed_clock(at)
        copy()

    return ahead


def _call(site: Site, name: str, at: datetime, command: list[str]) -> None:
    """What is done before anything is measured, on the embedded engine: no warehouse can tell."""
    site.simulator.now = fixed_clock(at)
    environment = _environment(site, name, at, "embedded")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()
        raise Failed(f"the warehouse could not be filled: {said[-1] if said else 'nothing was said'}")


def _changed(site: Site, at: datetime) -> list[str]:
    """The tables to which an hour commits rows, as folders of the warehouse that is measured."""
    from deltalake import DeltaTable

    _ahead(site, "filled", at)()
    _call(site, "hour", at, _command(site))
    folders = [key.replace(".", "/") for key in assets.CATALOG.keys]
    found = []
    for folder in folders:
        before, after = (set(DeltaTable(str(site.warehouse(name) / folder)).file_uris()) for name in ("filled", "hour"))
        if {uri.rpartition("/")[2] for uri in before} != {uri.rpartition("/")[2] for uri in after}:
            found.append(str(site.warehouse("hour") / folder))
    return found

"""A year: many locations, monthly chunks against one range, and a session for every stage against one for all."""

from __future__ import annotations

import assets
from scripts.benches.against_plain import LOCATIONS, OWN, need_java
from scripts.benches.declared import Bench, Ratio, Side
from scripts.benches.site import Site

MANY = (3, 50, 200)
AT_MOST = 4.3
"""Four times the work (200 locations after 50) takes so much more time at the most."""
LIMITS_MIB = {"jvm": 1638, "python": 600}
"""Of a year of 50 and of 200 locations on Spark: 1.6 GiB and 600 MiB."""
LARGE_HEAP = "8g"
"""With which the plain script gets through a year of 200 locations: it has all rows in its plan."""
PER_ROW = 1.25
"""1 / 0.8: at 200 locations at least 0.8 of the plain script's rows per second."""


def locations(site: Site) -> Bench:
    """Both engines, default settings, a year in monthly chunks at 3, 50 and 200 locations; the plain script at 200."""
    need_java()
    many = (1, 2, 3) if site.smoke else MANY
    few, fifty, most = many
    sides = [_backfill(site, engine, number) for number in many for engine in ("embedded", "spark")]
    plain = Side(
        f"plain-{most}",
        f"one plain, tuned PySpark script, heap {LARGE_HEAP}, {most} locations",
        [site.plain_spark(OWN, most, site.year, LARGE_HEAP)],
        site.plain_environment,
        site.emptied("plain"),
        site.year.rows(most),
    )
    ratios = [Ratio(f"{engine}-{most}", f"{engine}-{fifty}", AT_MOST) for engine in ("spark", "embedded")]
    ratios += [Ratio(f"{engine}-{fifty}", f"{engine}-{few}") for engine in ("spark", "embedded")]
    ratios += [
        Ratio(f"spark-{most}", f"plain-{most}", goal=PER_ROW, per_row=True),
        Ratio(f"embedded-{most}", f"plain-{most}", per_row=True),
    ]
    return Bench("locations", "A year by monthly chunks, default settings", [*sides, plain], ratios, 3, warm_up=False)


def _backfill(site: Site, engine: str, number: int) -> Side:
    name = f"{engine}-{number}"
    return Side(
        name,
        f"aqi backfill --chunk-mode monthly, engine {engine}, {number} locations",
        [site.backfill(number, site.year)],
        site.environment(name, engine=engine, server=True),
        site.emptied(name),
        site.year.rows(number),
        LIMITS_MIB if engine == "spark" else {},
    )


def chunks(site: Site) -> Bench:
    """A year of three locations in monthly chunks against one range, and the same call again, which does nothing."""
    need_java()
    sides, ratios = [], []
    for engine in ("spark", "embedded"):
        one, many = f"{engine}-range", f"{engine}-chunks"
        environment = site.environment(many, engine=engine, server=True)
        rows = site.year.rows(LOCATIONS)
        range_ = site.materialize(LOCATIONS, site.year)
        backfill = site.backfill(LOCATIONS, site.year)
        sides += [
            Side(one, f"a year as one range, engine {engine}", [range_], site.environment(
                one, engine=engine, server=True), site.emptied(one), rows),
            Side(many, f"a year in monthly chunks, engine {engine}", [backfill], environment, site.emptied(many), rows),
            Side(f"{engine}-again", "the same chunks again: nothing is to be done", [backfill], environment),
        ]  # fmt: skip
        ratios += [Ratio(many, one, goal=1.2), Ratio(f"{engine}-again", many)]
    return Bench("chunks", "Monthly chunks against one range, a year of three locations", sides, ratios)


def sessions(site: Site) -> Bench:
    """Ten commands in turn, each with a Spark session of its own, against one run: how many teams do it today."""
    need_java()
    environment = site.environment("ours", engine="spark", server=True)
    rows = site.month.rows(LOCATIONS)
    stages = [site.materialize(LOCATIONS, site.month, key) for key in assets.CATALOG.keys]
    sides = [
        Side("one-run", "aqi materialize '*', engine spark", [site.materialize(LOCATIONS, site.month)],
             environment, site.emptied("ours"), rows),
        Side("a-session-per-stage", "aqi materialize ASSET for each of the ten assets in turn, engine spark", stages,
             environment, site.emptied("ours"), rows),
    ]  # fmt: skip
    return Bench("sessions", "One run against a session per stage", sides, [Ratio("one-run", "a-session-per-stage")])

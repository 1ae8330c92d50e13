"""30 days of three locations: the whole command against plain scripts that write the same tables."""

from __future__ import annotations

from pathlib import Path

from orchestration.core.errors import MachineError
from resources.spark.driver import check_java_libraries
from scripts.benches.declared import Bench, Ratio, Side, Skipped
from scripts.benches.site import ROOT, Site

SHARED = ROOT.parent / "shared" / "plain_spark.py"
OWN = ROOT / "scripts" / "plain_spark.py"
DUCKDB = ROOT / "scripts" / "plain_duckdb.py"
LOCATIONS = 3
YARDSTICK_HEAP = "2g"
"""Of the yardstick's driver, and so of ours beside it."""


def need_java() -> None:
    """Raises Skipped where Spark's Java libraries are not there."""
    try:
        check_java_libraries()
    except MachineError as error:
        raise Skipped(f"{error}") from None


def the_yardstick() -> Path:
    """The script that all figures are relative to: that of the shared folder, else the project's own."""
    return SHARED if SHARED.exists() else OWN


def plain_spark(site: Site, script: Path, name: str = "yardstick") -> Side:
    """A side that is a plain Spark script."""
    need_java()
    return Side(
        name,
        f"one plain, tuned PySpark script, heap {YARDSTICK_HEAP}",
        [site.plain_spark(script, LOCATIONS, site.month)],
        site.plain_environment,
        site.emptied("plain"),
        site.month.rows(LOCATIONS),
    )


def ours(site: Site, engine: str, *, server: bool) -> Side:
    """A side that is the whole command."""
    heap = {"AQI_SPARK__DRIVER_MEMORY": YARDSTICK_HEAP} if engine == "spark" else {}
    return Side(
        engine,
        f"aqi materialize '*', engine {engine}, {'a Prefect server running' if server else 'its own Prefect server'}",
        [site.materialize(LOCATIONS, site.month)],
        site.environment("ours", engine=engine, server=server, **heap),
        site.emptied("ours"),
        site.month.rows(LOCATIONS),
    )


def yardstick(site: Site) -> Bench:
    """The project's own plain script against the shared one: how far the one may stand for the other."""
    if not SHARED.exists():
        raise Skipped("the shared yardstick is not there: the project's own stands for it")
    sides = [plain_spark(site, OWN, "own"), plain_spark(site, SHARED)]
    return Bench("yardstick", "The project's own plain script", sides, [Ratio("own", "yardstick", 1.03)], rounds=5)


def spark_server(site: Site) -> Bench:
    """Engine Spark with a Prefect server that is running."""
    sides = [ours(site, "spark", server=True), plain_spark(site, the_yardstick())]
    return Bench("spark-server", "Spark, a Prefect server running", sides, [Ratio("spark", "yardstick", 0.73, 0.60)], 5)


def spark_own(site: Site) -> Bench:
    """Engine Spark with the Prefect server that a run brings along."""
    sides = [ours(site, "spark", server=False), plain_spark(site, the_yardstick())]
    return Bench("spark-own", "Spark, its own Prefect server", sides, [Ratio("spark", "yardstick", 0.86, 0.75)], 5)


def embedded_server(site: Site) -> Bench:
    """The embedded engine with a Prefect server that is running."""
    sides = [ours(site, "embedded", server=True), plain_spark(site, the_yardstick())]
    return Bench("embedded-server", "Embedded, a Prefect server running", sides, [Ratio("embedded", "yardstick")])


def embedded_own(site: Site) -> Bench:
    """The embedded engine with the Prefect server that a run brings along."""
    sides = [ours(site, "embedded", server=False), plain_spark(site, the_yardstick())]
    return Bench("embedded-own", "Embedded, its own Prefect server", sides, [Ratio("embedded", "yardstick")])


def duckdb(site: Site) -> Bench:
    """The embedded engine against DuckDB with deltalake."""
    plain = Side(
        "duckdb",
        "one plain script, DuckDB and deltalake",
        [site.plain(DUCKDB, LOCATIONS, site.month)],
        site.plain_environment,
        site.emptied("plain"),
        site.month.rows(LOCATIONS),
    )
    sides = [ours(site, "embedded", server=True), plain]
    return Bench("duckdb", "Embedded against DuckDB with deltalake", sides, [Ratio("embedded", "duckdb")], 5)

"""Where benches are made: a folder that goes away, the bundled simulator, answers in files, a Prefect server.

Made-up values are the same for everybody: commands are sent them by the simulator, plain scripts find them in files.
The simulator is a thread of the bench itself, and what it computes for a command goes on beside that command.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import yaml

from resources.machine.clock import fixed_clock
from resources.prefect.server import EmbeddedServer
from resources.simulator.server import Simulator
from resources.spark.driver import JARS_FOLDER

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 10, 0, 30, tzinfo=UTC)
AQI = str(Path(sys.executable).parent / "aqi")
HOURS_A_DAY = 24
UNLIMITED = {"calls_per_minute": 10**9, "calls_per_hour": 10**9, "calls_per_day": 10**9}


@dataclass(frozen=True)
class Span:
    """Days, both ends in."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def rows(self, locations: int) -> int:
        """Hourly rows of so many locations."""
        return self.days * HOURS_A_DAY * locations

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


@dataclass
class Site:
    """smoke: everything in its smallest size, to see that it works. home: where all of it goes."""

    home: Path
    output: Path
    smoke: bool
    ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def month(self) -> Span:
        """30 days: what one call is measured with."""
        return Span(date(2025, 8, 8), date(2025, 8, 8) if self.smoke else date(2025, 9, 6))

    @property
    def year(self) -> Span:
        """A year; of a smoke test, two days of two months."""
        return Span(date(2025, 1, 31), date(2025, 2, 1)) if self.smoke else Span(date(2025, 1, 1), date(2025, 12, 31))

    @cached_property
    def simulator(self) -> Simulator:
        """Serves every location; its clock stands at NOW."""
        return self.ending.enter_context(Simulator(now=fixed_clock(NOW)))

    @cached_property
    def server_url(self) -> str:
        """The API of a Prefect server that is running, with a database of its own."""
        home = self.home / "server"
        home.mkdir()
        before = os.environ.get("PREFECT_HOME")
        os.environ["PREFECT_HOME"] = str(home)
        try:
            server = self.ending.enter_context(EmbeddedServer(home / "server.log"))
        finally:
            os.environ.pop("PREFECT_HOME")
            if before is not None:
                os.environ["PREFECT_HOME"] = before
        server.wait()
        return server.api_url

    def environment(self, name: str, *, engine: str = "embedded", server: bool = False, **more: str) -> dict[str, str]:
        """Variables for `aqi` on the warehouse ``name``, and nothing of whoever calls. server: a running one."""
        clean = {
            key: value for key, value in self.plain_environment.items() if not key.startswith(("AQI_", "PREFECT_"))
        }
        return {
            **clean,
            "PYTHONPATH": str(ROOT),
            "PREFECT_HOME": str(self.home / "prefect"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "AQI_WAREHOUSE__URI": str(self.warehouse(name)),
            "AQI_CLOCK__NOW": NOW.isoformat(),
            "AQI_OPEN_METEO__BASE_URL": self.simulator.url,
            "AQI_ENGINE": engine,
            **({"PREFECT_API_URL": self.server_url} if server else {}),
            **more,
        }

    def warehouse(self, name: str) -> Path:
        """The folder of a warehouse."""
        return self.home / "warehouses" / name

    def emptied(self, name: str) -> Callable[[], None]:
        """Makes a warehouse empty, and forgets the logs of runs."""

        def empty() -> None:
            shutil.rmtree(self.warehouse(name), ignore_errors=True)
            shutil.rmtree(self.home / "state", ignore_errors=True)

        return empty

    def copied(self, source: str, name: str) -> Callable[[], None]:
        """Makes a warehouse a copy of another one."""

        def copy() -> None:
            self.emptied(name)()
            shutil.copytree(self.warehouse(source), self.warehouse(name))

        return copy

    def locations(self, number: int) -> list[dict[str, object]]:
        """So many locations, spread over the globe, the same ones every time."""
        spread = random.Random(15)  # noqa: S311 - coordinates
        return [
            {
                "key": f"p{at:03}",
                "name": f"Point {at}",
                "latitude": round(spread.uniform(-40, 60), 4),
                "longitude": round(spread.uniform(-170, 170), 4),
                "timezone": "Asia/Ho_Chi_Minh",
            }
            for at in range(number)
        ]

    def profile(self, number: int) -> str:
        """A profile with so many locations, and without limits of calls."""
        file = self.home / f"{number}_locations.yml"
        if not file.exists():
            said = {"locations": self.locations(number), "open_meteo": UNLIMITED}
            file.write_text(yaml.safe_dump(said), encoding="utf-8")
        return str(file)

    def answers(self, number: int, span: Span) -> str:
        """A folder with what the simulator says of so many locations, a file each."""
        from assets.variables import VARIABLES

        folder = self.home / "answers" / f"{number}-{span}"
        if not folder.exists():
            folder.mkdir(parents=True)
            for at in self.locations(number):
                where = f"latitude={at['latitude']}&longitude={at['longitude']}"
                query = f"{where}&hourly={','.join(VARIABLES)}&start_date={span.first}&end_date={span.last}"
                (folder / f"{at['key']}.json").write_bytes(self.simulator.reply(query, "bench").body)
        return str(folder)

    def materialize(self, number: int, span: Span, selection: str = "*") -> list[str]:
        """The command for so many locations."""
        return [AQI, "materialize", selection, "--partitions", str(span), "--profile", self.profile(number)]

    def backfill(self, number: int, span: Span) -> list[str]:
        """The command in monthly chunks."""
        days = ["--start-date", str(span.first), "--end-date", str(span.last), "--chunk-mode", "monthly"]
        return [AQI, "backfill", *days, "--profile", self.profile(number)]

    def plain(self, script: Path, number: int, span: Span, *more: str) -> list[str]:
        """A plain script that writes the same tables."""
        days = [str(span.first), str(span.last)]
        return [sys.executable, str(script), self.answers(number, span), str(self.warehouse("plain")), *days, *more]

    def plain_spark(self, script: Path, number: int, span: Span, *more: str) -> list[str]:
        """The same on Spark, which needs Delta's Java libraries."""
        return self.plain(script, number, span, str(JARS_FOLDER), *more)

    @property
    def plain_environment(self) -> Mapping[str, str]:
        """Of a script that knows nothing of the project. Spark's own variables would make another session of it."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("SPARK_")},
            "PYTHONPATH": str(ROOT),
        }


@contextlib.contextmanager
def site(output: Path, smoke: bool) -> Iterator[Site]:
    """A site for one bench; its servers end with the block, its folder goes away."""
    with contextlib.ExitStack() as ending:
        home = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        yield Site(home, output, smoke, ending)


def module(name: str, *arguments: str) -> Sequence[str]:
    """The command that runs one of the benches' own modules."""
    return [sys.executable, "-m", f"scripts.benches.{name}", *arguments]

"""The gauges' service on this machine, and a folder of rain files, with made-up contents."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

GAUGES = ("alder", "birch", "willow")
HOUR = timedelta(hours=1)
Reading = tuple[float | None, float | None]
Buckets = dict[tuple[str, date], list[float]]
"""Rain in mm by gauge and day, a bucket after the other."""


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def made_up_levels(first: date, days: int, seed: int = 7) -> dict[tuple[str, datetime], Reading]:
    """Levels below four metres in quarters, which add up exactly; a flow here and there is not known."""
    draw = random.Random(seed)
    hours = [at(first, 0) + number * HOUR for number in range(24 * days)]
    return {
        (gauge, hour): (draw.randrange(4, 15) / 4, None if draw.random() < 0.1 else draw.randrange(80) / 4)
        for gauge in GAUGES
        for hour in hours
    }


def made_up_rain(first: date, days: int, seed: int = 8) -> Buckets:
    """None to three buckets a day."""
    draw = random.Random(seed)
    return {
        (gauge, first + timedelta(days=day)): [draw.randrange(1, 40) / 4 for _ in range(draw.randrange(4))]
        for gauge in GAUGES
        for day in range(days)
    }


def write_rain(folder: Path, rain: Buckets) -> None:
    """The files of all gauges and months; a day without a bucket is in none."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {}
    for (gauge, day), buckets in sorted(rain.items()):
        file = lines.setdefault(f"{gauge}_{day:%Y-%m}.csv", ["day,bucket,rain_mm"])
        file += [f"{day},{number},{rain_mm}" for number, rain_mm in enumerate(buckets, 1)]
    for name, text in lines.items():
        (folder / name).write_text("\n".join(text) + "\n", encoding="utf-8")


class GaugeService:
    """Answers with ``levels``, which a test may change: the next request sees it.

    broken: gauges for which there is no answer (404 for a request that names one). asked: the requests, as they came.
    """

    def __init__(self, levels: dict[tuple[str, datetime], Reading], broken: Iterable[str] = ()) -> None:
        self.levels = levels
        self.broken = set(broken)
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> GaugeService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, query: dict[str, list[str]]) -> tuple[int, str]:
        gauges = query["gauges"][0].split(",")
        first, last = (date.fromisoformat(query[name][0]) for name in ("first", "last"))
        if broken := sorted(self.broken.intersection(gauges)):
            return 404, f"no data of {', '.join(broken)}"
        told = {
            gauge: [
                [f"{hour:%Y-%m-%dT%H}", *values]
                for (name, hour), values in sorted(self.levels.items())
                if name == gauge and first <= hour.date() <= last
            ]
            for gauge in gauges
        }
        return 200, json.dumps(told)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append(self.path)
                status, body = service.answer(parse_qs(urlsplit(self.path).query))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

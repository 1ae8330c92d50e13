"""A receiver of OpenLineage events on 127.0.0.1, which can be down, slow, or answer otherwise than it should."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from orchestration.core.openlineage.naming import run_uuid
from tests.support.alert_sinks import _Http, _Sink


class Receiver(_Sink):
    """Keeps the events that it answers well, in the order in which they came.

    statuses, delays: of the next answers, in turn; then status, delay_seconds. location: of a redirect.
    endless: it never ends its answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.keys: list[str | None] = []
        self.status, self.location, self.endless = 201, "", False
        self.statuses: Iterator[int] = iter(())
        self.delays: Iterator[float] = iter(())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _make(self) -> _Http:
        server = _Http(("127.0.0.1", self.port), _Handler)
        server.daemon_threads = True
        server.block_on_close = False  # whoever is slow on purpose is not waited for
        return server

    def of(self, job: str) -> list[str]:
        """What became of a job, as it was told."""
        return [event["eventType"] for event in self.events if event["job"]["name"] == job]


def steps_in_order(events: Sequence[dict[str, Any]], run: Mapping[str, Any]) -> list[str]:
    """What is wrong with the events of a run that completed, as ``--json`` has it; a line each.

    Of the run and of each step a START and a COMPLETE; those of the run are around all others, and what a step reads
    of the run's own is told of before the step begins.
    """
    told = [(event["run"]["runId"], event["eventType"]) for event in events]
    whole, steps = run_uuid(run["run_id"]), {step["id"]: run_uuid(run["run_id"], step["id"]) for step in run["steps"]}
    wanted = {(one, kind) for one in (whole, *steps.values()) for kind in ("START", "COMPLETE")}
    if Counter(told) != Counter(wanted):
        return [f"{one} is told {told.count(one)} times" for one in sorted({*told} | wanted)]
    wrong: list[str] = []
    if (told[0], told[-1]) != ((whole, "START"), (whole, "COMPLETE")):
        wrong.append("the run's own are not the first and the last")
    for step in run["steps"]:
        start, end = (told.index((steps[step["id"]], kind)) for kind in ("START", "COMPLETE"))
        before = [told.index((steps[item["step"]], "COMPLETE")) for item in step["inputs"] if item["step"]]
        if not max(before, default=0) < start < end:
            wrong.append(f"{step['id']}: COMPLETE of what it reads, START and COMPLETE are not in this order")
    times = [event["eventTime"] for event in events]
    return wrong + ([] if times == sorted(times) else ["times are not in order"])


def columns_agree(event: Mapping[str, Any]) -> list[str]:
    """What is wrong with where columns come from, in a COMPLETE of a step: each column of the table that was written
    is said to come from something, which is a column of what was read by the same event's schemas."""
    [output] = event["outputs"]
    location, facet = f"{event['job']['name']} {event['eventTime']}", output["facets"].get("columnLineage")
    if facet is None:
        return [f"{location}: nothing is said of its columns"]
    known = {
        (one["namespace"], one["name"], field["name"])
        for one in event["inputs"]
        for field in one["facets"]["schema"]["fields"]
    }
    told = {name: of["inputFields"] for name, of in facet["fields"].items()} | {"*": facet.get("dataset", [])}
    wrong = [
        f"{location}.{name}: {one['name']}.{one['field']} was not read"
        for name, sources in told.items()
        for one in sources
        if (one["namespace"], one["name"], one["field"]) not in known
    ]
    written = {field["name"] for field in output["facets"]["schema"]["fields"]}
    return wrong + [f"{location}.{name}: said or written alone" for name in written ^ facet["fields"].keys()]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Receiver = self.server.sink  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.asked.append((self.command, self.path))
        receiver.keys.append(self.headers["Authorization"])
        status = next(receiver.statuses, receiver.status)
        time.sleep(next(receiver.delays, receiver.delay_seconds))
        if status < 300 and not receiver.endless:
            receiver.events.append(json.loads(body))  # before the answer: who has that looks for it
        with suppress(OSError):  # the other side went away
            self._answer(receiver, status)

    def _answer(self, receiver: Receiver, status: int) -> None:
        self.send_response(status)
        if receiver.location:
            self.send_header("Location", receiver.location)
        self.send_header("Content-Length", "1000000" if receiver.endless else "0")
        self.end_headers()
        while receiver.endless:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def do_GET(self) -> None:
        self.server.sink.asked.append((self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass

"""A restart: a backfill that makes everything again. If it is broken off, the same command goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.planning.request import Refresh, Request, Restart
from orchestration.core.runs.outcome import StepOutcome
from orchestration.engine.fetching import FetchTask
from orchestration.engine.unmade import recorded_since
from orchestration.engine.workspace import Workspace
from resources.storage.restarts import Begun, Restarts


def restarted(workspace: Workspace, request: Refresh) -> Restart:
    """The request as a restart: everything again, except what a broken-off restart of the same partitions has made.

    That is what its record says, and what the tables have recorded since: it may have been killed between the two.
    """
    done: dict[str, PartitionSet] = {}
    if (found := Restarts(workspace.warehouse.uri).read(_name(request))) is not None:
        states = workspace.states(tuple(request.assets))
        for key in request.assets:
            asked = workspace.catalog[key].asked_by(request.partitions)
            recorded = recorded_since(states[key], asked, found.at) if key in states else PartitionSet.empty()
            done[key] = found.done.get(key, PartitionSet.empty()) | recorded
    return Restart(request.assets, request.partitions, chunks=request.chunks, batch=request.batch, done=done)


class RestartRecord:
    """A ``Listener`` that records what a restart has made, step by step. warn: called if that could not be stored."""

    def __init__(self, workspace: Workspace, request: Request, run_id: str, warn: Callable[[str], None]) -> None:
        self._restarts, self._name, self._warn = Restarts(workspace.warehouse.uri), _name(request), warn
        self._lock = threading.Lock()
        found = self._restarts.read(self._name)
        self._goes_on = found is not None
        self._begun = found or Begun(run_id, iso(datetime.now(UTC)))

    @property
    def notice(self) -> str:
        """A sentence for people when an earlier restart goes on; empty where a new one begins."""
        if not self._goes_on:
            return ""
        count = sum(len(of) for of in self._begun.done.values())
        return (
            f"Goes on with the restart that run {self._begun.run_id} began ({self._begun.at}): {count} partitions of "
            f"its tables are made since. To begin anew, remove {self._restarts.path(self._name)}."
        )

    def begin(self) -> None:
        self._write(self._begun)

    def end(self, *, ok: bool) -> None:
        """Ends the record. ok: whether everything is made; otherwise the next call goes on."""
        if ok:
            self._try(lambda: self._restarts.remove(self._name))

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None: ...

    def step_done(self, outcome: StepOutcome) -> None:
        """Called by the threads of steps."""
        asset, good = outcome.step.asset, outcome.succeeded
        if good:
            with self._lock:
                done = self._begun.done.get(asset, PartitionSet.empty()) | good
                self._begun = replace(self._begun, done={**self._begun.done, asset: done})
                self._write(self._begun)

    def _write(self, begun: Begun) -> None:
        self._try(lambda: self._restarts.write(self._name, begun))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self._warn(f"how far the restart is could not be kept ({error}): broken off, it would begin anew")


def _name(request: Request) -> str:
    """A name that is equal for equal assets and partitions, however these are cut into chunks."""
    said = json.dumps([sorted(request.assets), request.partitions.to_json()])
    return hashlib.sha256(said.encode()).hexdigest()[:16]

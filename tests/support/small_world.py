"""A world for steps, as small as can be: two tables, whose rows are lists in a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.lineage.compare import Difference
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.runs.decisions import Fetched, Made, PartitionFacts, Proposal
from orchestration.core.runs.step_world import Reading, Readings
from orchestration.core.state.provenance import PartitionRecord, Provenance, Question, Shape
from orchestration.core.state.table_state import Commit, FileSpan, TableState, fold
from tests.support.small_assets import CLEAN, FEED, NOTHING

Rows = dict[PartitionKey, list[int]]
QUESTION = Question("api", "all", ("aqi",), 1.0, 2.0)


class History:
    """What is known of answers and contracts: always the same."""

    def question(self, asset: Asset, location: str | None) -> Question | None:
        return QUESTION if asset.source else None

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        return QUESTION

    def questions_of(self, asset: Asset, keys: Any, own: TableState) -> list[Question]:
        return []

    def shapes(self, asset: str, own: TableState) -> dict[str, Shape]:
        return {}

    def kinds(self, asset: Asset, own: TableState) -> tuple[str, ...]:
        return ()

    def past(self, asset: Asset) -> tuple[dict[str, Any], ...]:
        return ()


class World:
    """Tables as lists of commits, and their rows; what is asked of it is written down in ``calls``.

    makes: what functions make; differences: of their columns from what is declared. asked_of_columns: by which code
    parts. comes_between: is done before a commit of ours, and what is in the way refuses it.
    comes_unseen: the same, but the commit that follows does not see it, and is made.
    """

    def __init__(self, *, alone: bool = True) -> None:
        self.alone = alone
        self.calls: list[str] = []
        self.commits: dict[str, list[Commit]] = {FEED: [], CLEAN: []}
        self.rows: dict[str, Rows] = {FEED: {}, CLEAN: {}}
        self.makes: Callable[[PartitionSet], Rows] = lambda targets: {one: [one.day.day] for one in targets}  # type: ignore[union-attr]
        self.violations: dict[PartitionKey, dict[str, int]] = {}
        self.brought = Fetched()
        self.alters = NOTHING
        self.asked_of_columns: list[str] = []
        self.differences: tuple[Difference, ...] = ()
        self.comes_between: list[Callable[[], None]] = []
        self.comes_unseen: list[Callable[[], None]] = []
        self.read: list[tuple[Reading[Rows], ...]] = []
        self.gone: list[Rows] = []

    # What others do

    def record(self, asset: str, rows: Rows, run_id: str = "other", asked: str = "") -> None:
        """A commit of a run."""
        records = {
            one: PartitionRecord(len(of), str(of), {}, "", f"contract of {asset}", run_id=run_id)
            for one, of in rows.items()
        }
        self._say(asset, Provenance(run_id, asset, "at", records), rows)

    def _say(self, asset: str, said: Provenance, rows: Rows) -> None:
        version = len(self.commits[asset])
        self.commits[asset].append(Commit(version, Provenance.from_json(said.to_json(), version)))
        self.rows[asset] |= rows

    def touch(self, asset: str, one: PartitionKey, rows: list[int]) -> None:
        """Somebody who is no run of ours writes."""
        span = FileSpan(one.day, one.day, one.location, one.location)
        self.commits[asset].append(Commit(len(self.commits[asset]), None, (span,)))
        self.rows[asset][one] = rows

    def now(self, asset: str) -> TableState:
        return fold(self.commits[asset])

    # StepWorld

    def state(self, asset: Asset, known: TableState) -> TableState:
        self.calls.append("state")
        return self.now(asset.key)

    def state_at(self, asset: Asset, version: int) -> TableState:
        self.calls.append(f"state at {version}")
        return fold(self.commits[asset.key][: version + 1])

    def flagged(self, window: Any, state: TableState) -> Any:
        raise AssertionError("no window here")

    @contextmanager
    def committing(self, asset: Asset) -> Iterator[None]:
        self.calls.append("lock")
        yield
        self.calls.append("unlock")

    def checking(self) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, asset: Asset) -> None:
        self.calls.append("create")
        if not self.commits[asset.key]:
            self.commits[asset.key].append(Commit(0, None))

    def commit(self, asset: Asset, proposal: Proposal[Rows]) -> None:
        self.calls.append("commit")
        if self.comes_between:
            self.comes_between.pop(0)()
        seen = proposal.before.version
        if self.comes_unseen and proposal.change.replaced:
            self.comes_unseen.pop(0)()
            seen = self.now(asset.key).version
        if self.now(asset.key).version == seen:
            rows = {one: proposal.made.frame.get(one, []) for one in proposal.change.replaced}
            self._say(asset.key, proposal.said, rows)

    def fetched(self, step: Step) -> Fetched:
        return self.brought

    def make(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        readings: Readings[Rows],
        own: TableState,
        code_part: str = "",
    ) -> Made[Rows]:
        self.calls.append("make")
        self.read.append(readings(targets))
        made = self._made(self.makes(targets))
        if not code_part:
            return made
        self.asked_of_columns.append(code_part)
        return replace(made, columns_of={code_part: f"columns by {code_part}"}, differences=self.differences)

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[Rows]:
        self.calls.append("stored")
        return self._made({one: self.rows[asset.key].get(one, []) for one in partitions})

    def _made(self, rows: Rows) -> Made[Rows]:
        facts = {one: PartitionFacts(len(of), str(of), self.violations.get(one, {})) for one, of in rows.items() if of}
        return Made(rows, facts)

    def altered(
        self, asset: Asset, made: Made[Rows], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        self.calls.append("altered")
        return partitions & self.alters, "aqi is 7 and was 8"

    def let_go(self, frame: Rows) -> None:
        self.gone.append(frame)

    def forget(self, step: Step) -> None:
        self.calls.append("forget")

    def at(self) -> str:
        return "2025-08-20T11:00:00Z"

    def explain(self, error: Exception) -> str:
        return f"explained: {error}"

    def reached(self, point: str) -> None:
        self.calls.append(point)

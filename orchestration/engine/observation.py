"""Observes sources: asks them what they send now, before a run decides what is stale."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.errors import SourceNotAsked
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan
from orchestration.core.planning.request import Hourly, Request
from orchestration.core.runs.profile import Phase
from orchestration.core.state.freshness import NOT_ANSWERED
from orchestration.core.state.table_state import TableState
from orchestration.engine.asking import Askings, check_sources
from orchestration.engine.fetching import Fetching, Wanted
from orchestration.engine.profiling import Spans
from orchestration.engine.steps import explain
from orchestration.engine.workspace import Workspace


@dataclass(frozen=True)
class SourceObservation:
    """An observation: what sources sent for the partitions of a request."""

    assets: tuple[str, ...]
    """The assets of the request."""
    source: Fetching
    """What was fetched."""
    sent: Mapping[str, Mapping[PartitionKey, str]]
    """Source → partition → digest of what the source sends now."""

    @property
    def brought(self) -> bool:
        """Whether any source answered."""
        return any(digest != NOT_ANSWERED for digests in self.sent.values() for digest in digests.values())

    @property
    def problems(self) -> list[str]:
        """A line for each request that failed."""
        errors = [item for asset in self.assets for item in self.source.errors(asset).items()]
        messages = [f"{task}: {explain(error)}" for task, error in errors if not isinstance(error, SourceNotAsked)]
        if not_asked := [(task, error) for task, error in errors if isinstance(error, SourceNotAsked)]:
            left = PartitionSet.union_of(task.partitions for task, _ in not_asked)
            messages.append(f"not asked: {left}" if messages else f"{left}: {explain(not_asked[0][1])}")
        return messages

    def keep_moments(self, workspace: Workspace, plan: Plan, run_id: str) -> None:
        """Record when sources were asked in vain: for partitions that no step of ``plan`` makes."""
        for asset in self.assets:
            steps = PartitionSet.union_of(step.all_partitions for step in plan.steps_of(asset))
            left = {item.partitions for item in plan.left_out if item.asset == asset}
            made = steps | PartitionSet.union_of(left)
            asked = {key: one.asked for key, one in self.source.sourced(asset).items() if key not in made}
            if asked:
                with contextlib.suppress(OSError):  # losing it costs a question, never a state
                    workspace.moments.keep(asset, run_id, asked)

    def is_outdated(self, before: Mapping[str, TableState], now: Mapping[str, TableState]) -> bool:
        """Whether another run has made partitions of these assets since the states ``before`` were read."""
        states = ((before.get(asset, TableState()), now.get(asset, TableState())) for asset in self.assets)
        return any(one.version != other.version for one, other in states)


def observe_sources(
    workspace: Workspace,
    request: Request,
    run_id: str = "",
    spans: Spans | None = None,
    askings: Askings | None = None,
) -> SourceObservation | None:
    """Ask the sources of a request what they send now. None if the request does not compare, or has no fetched asset.

    run_id: the run that will use and store the answers; empty where none will. spans: measures. askings: how sources
    are asked in that run.
    """
    if not isinstance(request, Hourly) or not request.compare:
        return None
    fetched = [workspace.catalog[key] for key in sorted(request.assets) if workspace.catalog[key].source is not None]
    if not fetched:
        return None
    wanted = {asset.key: Wanted(str(asset.source), request.compare, asset.key) for asset in fetched}
    keep = workspace.raw.keep if run_id else None
    settings = workspace.settings
    spans = spans or Spans()
    check_sources(workspace.sources, (one.source for one in wanted.values()))
    sent: dict[str, dict[PartitionKey, str]] = {}
    with spans.span(Phase.LOOK):
        source = Fetching(
            workspace.sources,
            wanted,
            settings.configured_locations,
            settings.now,
            keep=keep,
            run_id=run_id,
            spans=spans,
            askings=askings,
            meet=workspace.history.meet,
        )
        source.fetch_all()
        for asset in fetched:
            sent.setdefault(str(asset.source), {}).update(source.sent(asset.key))
    return SourceObservation(tuple(wanted), source, sent)

"""Everything that the pages of the report need. Each thing is read once, when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestration.core.runs.journal import RunEntry
from orchestration.core.runs.profile import Profile
from orchestration.core.state.freshness import Current
from orchestration.core.state.lags import Lag
from orchestration.core.state.table_state import TableState
from orchestration.engine.lags import read_lags
from orchestration.engine.lineage.recorded import RecordedColumns, recorded_columns
from orchestration.engine.workspace import Workspace
from orchestration.reports.status import Statuses, read_status
from resources.storage.journal import KEPT, Journal
from resources.storage.run_profiles import RunProfiles


@dataclass(frozen=True)
class Found:
    """A workspace, and the assets ``keys`` of the report, in topological order."""

    workspace: Workspace
    keys: tuple[str, ...]

    @cached_property
    def states(self) -> Mapping[str, TableState]:
        """The states of the tables of ``keys`` and of everything directly upstream. Assets without a table are left
        out."""
        return self.workspace.counted_states(self.keys)

    @cached_property
    def current(self) -> Current:
        """Code, contracts and clock by which freshness is judged; ``current.now`` is the time of the report."""
        return self.workspace.current()

    @cached_property
    def statuses(self) -> Statuses:
        """The states of all partitions of ``keys``: ``.groups``, or one by one (a second for each 400,000)."""
        return read_status(self.workspace, self.keys)

    @cached_property
    def lags(self) -> tuple[Lag, ...]:
        """The lags of the dated assets of ``keys``, at each configured location."""
        return tuple(read_lags(self.workspace, self.keys, self.states))

    @cached_property
    def columns(self) -> RecordedColumns:
        """The recorded column lineage of ``keys``."""
        return recorded_columns(self.workspace, {key: self.states[key] for key in self.keys if key in self.states})

    @cached_property
    def code_parts(self) -> Mapping[str, str]:
        """The present code parts of ``keys``."""
        return self.workspace.code_parts(self.keys)

    @cached_property
    def entries(self) -> tuple[RunEntry, ...]:
        """The journal of runs, newest first."""
        return tuple(Journal(self.workspace.warehouse.uri).entries(KEPT))

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """The ids of the runs with a profile, oldest first; empty if their folder cannot be read."""
        try:
            return tuple(self._profiles.run_ids())
        except OSError:
            return ()

    def profile(self, run_id: str) -> Profile | None:
        """The profile of a run; None where there is none, or it cannot be read."""
        try:
            return self._profiles.read(run_id)
        except (OSError, ValueError):
            return None

    @cached_property
    def _profiles(self) -> RunProfiles:
        return RunProfiles(self.workspace.warehouse.uri)

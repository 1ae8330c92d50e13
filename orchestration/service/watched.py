"""What a watch observes: the Prefect server, and the tables of the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from orchestration.core.alerts.incident_words import Broken, ChangedScale, Incomplete, Lacking, Lag
from orchestration.core.alerts.incidents import ServerView
from orchestration.core.alerts.watch_state import WatchState
from orchestration.core.errors import in_a_line
from orchestration.core.partitions.keys import PartitionSet
from orchestration.engine.workspace import Workspace
from orchestration.project import open_workspace
from orchestration.service.deployments import deployment_name, environment_tags
from orchestration.service.slots import free_slots
from resources.machine.clock import system_clock
from resources.prefect.client import PAGE
from resources.prefect.runs import Unmade, read_server
from resources.settings.load import Settings
from resources.settings.operations import DeploymentSettings
from resources.storage.journal import Journal

Say = Callable[[str], None]


class Sources:
    """Reads the server and the tables. page: how many items are asked of the server at once."""

    def __init__(self, settings: Settings, api_url: str, say: Say, page: int = PAGE) -> None:
        self._settings, self._api_url, self._say, self._page = settings, api_url, say, page

    @cached_property
    def _workspace(self) -> Workspace:
        return open_workspace(self._settings)

    def lags(self) -> Sequence[Lag]:
        """The lags of the tables that declare a target."""
        from orchestration.engine.lags import read_lags

        keys = [asset.key for asset in self._workspace.catalog if asset.fresh_within_hours is not None]
        return read_lags(self._workspace, keys)

    def incomplete(self) -> Sequence[Incomplete]:
        """The partitions that lack values."""
        from orchestration.engine.lags import read_incomplete

        return read_incomplete(self._workspace, self._workspace.catalog.keys)

    def server(self, state: WatchState) -> ServerView:
        """The deployments of the environment and their runs."""
        known = {
            deployment_name(self._settings, name): deployment.late_after_minutes
            for name, deployment in self._settings.deployments.items()
            if deployment is not None
        }
        default: float = DeploymentSettings.model_fields["late_after_minutes"].default
        tags = environment_tags(self._settings)
        return read_server(
            self._api_url,
            tags,
            state,
            system_clock(),
            lambda name: timedelta(minutes=known.get(name, default)),
            self._unmade(),
            self._page,
        )

    def free_slots(self) -> Sequence[str]:
        """End the runs that hold a slot although their process is gone; gives a sentence for each."""
        return free_slots(self._settings, self._api_url, "aqi watch")

    def missing(self) -> Sequence[Lacking]:
        """The wanted partitions that do not exist, of tables that lack the same together, with the commands that make
        them."""
        workspace = self._workspace
        if not self._settings.since:
            return ()
        found = workspace.holes(workspace.catalog.keys)
        alike: list[tuple[PartitionSet, list[str]]] = []
        for key, of in found.items():
            same = next((keys for missing, keys in alike if missing == of.missing), None)
            if same is None:
                alike.append((of.missing, [key]))
            else:
                same.append(key)
        return [Lacking(tuple(keys), some, tuple(workspace.fill_commands(some, keys))) for some, keys in alike]

    def broken(self) -> Sequence[Broken]:
        """The damaged tables, and those whose repair is not done."""
        from orchestration.engine.unmade import broken_tables

        return broken_tables(self._workspace)

    def scales(self) -> Sequence[ChangedScale]:
        """The scales of sources that changed among the newest days."""
        from orchestration.engine.scales import read_changed_scales

        return read_changed_scales(self._workspace)

    def still_unmade(
        self, unmade: Mapping[str, PartitionSet], since: datetime, forced: bool
    ) -> Mapping[str, PartitionSet]:
        """Those of ``unmade`` that nobody has made since; all of them where that is not known."""
        from orchestration.engine.unmade import still_unmade

        try:
            return still_unmade(self._workspace, unmade, since, forced=forced)
        except Exception as error:  # it lasts until that is known  # noqa: BLE001
            self._say(f"whether partitions were made cannot be told ({in_a_line(error)})")
            return unmade

    def _unmade(self) -> Unmade:
        """Gives what runs did not make: from the journal, which is read for the first run; for runs without an entry,
        from their parameters."""
        read: dict[str, tuple[tuple[str, PartitionSet], ...]] | None = None

        def of(
            flow_run_id: str, flow: str, parameters: Mapping[str, Any], began: datetime
        ) -> tuple[tuple[str, PartitionSet], ...]:
            nonlocal read
            if read is None:
                read = self._from_journal()
            return read.get(flow_run_id) or self._asked_for(flow, parameters, began)

        return of

    def _asked_for(
        self, flow: str, parameters: Mapping[str, Any], began: datetime
    ) -> tuple[tuple[str, PartitionSet], ...]:
        """What a run without an entry in the journal was to make, as far as it is not right."""
        from orchestration.engine.unmade import still_unmade
        from orchestration.service.asked_for import partitions_of

        try:
            asked = partitions_of(self._workspace, flow, parameters, began)
            forced = bool(parameters.get("force") or parameters.get("restart"))
            return tuple(still_unmade(self._workspace, asked, began, forced=forced).items())
        except Exception as error:  # it explains, no more  # noqa: BLE001
            self._say(f"what a run was to make cannot be told ({in_a_line(error)})")
            return ()

    def _from_journal(self) -> dict[str, tuple[tuple[str, PartitionSet], ...]]:
        found: dict[str, tuple[tuple[str, PartitionSet], ...]] = {}
        try:
            for entry in reversed(Journal(self._workspace.warehouse.uri).entries()):  # the last of a run counts
                left = {asset: attempt.planned - attempt.good for asset, attempt in entry.attempts.items()}
                found[entry.flow_run_id] = tuple((asset, rest) for asset, rest in left.items() if rest)
        except Exception as error:  # it explains, no more  # noqa: BLE001
            self._say(f"the journal of runs cannot be read ({in_a_line(error)})")
        return found

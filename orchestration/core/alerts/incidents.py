"""Incidents: what is wrong now, and what has to be reported. `aqi watch` observes tables and server again and again;
each observation changes the state of the watch.

The beginning of an incident is reported once, and its end once. An incident about partitions ends when these partitions
are made, by any run or command. If its partitions are not known, it ends when the latest run of the deployment
completes, in whatever order the runs are observed. A failure and a recovery between two observations are both reported.

Pure: ``orchestration.service.watch`` observes, and sends messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from orchestration.core.alerts.deliveries import KEPT, delivered, queued, refused, to_send
from orchestration.core.alerts.incident_words import (
    MISSING,
    Broken,
    ChangedScale,
    EndedRun,
    Incomplete,
    Lacking,
    Lag,
    LateRun,
    Result,
    about_broken,
    about_complete,
    about_completed,
    about_incomplete,
    about_late,
    about_made,
    about_missing,
    about_run,
    about_scale,
    about_unseen,
    day_and_time,
    days_are_missing,
    days_are_there,
    look_at,
)
from orchestration.core.alerts.late_tables import PREFIX, about_lags, by_reason, is_up_to_date, lies_behind
from orchestration.core.alerts.watch_state import OVERLAP, Event, Incident, Kind, Message, WatchState, end_of
from orchestration.core.partitions.keys import PartitionSet

__all__ = [
    "KEPT",
    "PATIENCE",
    "RUNS_KEPT",
    "Observation",
    "ServerView",
    "StillUnmade",
    "Unseen",
    "after_observation",
    "delivered",
    "queued",
    "refused",
    "to_send",
]

PATIENCE = 2
"""It is an incident when the server, or the tables, cannot be observed this many times in a row."""
RUNS_KEPT = 20
"""The ends of at most this many runs of an incident are checked again."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """What the Prefect server shows."""

    deployments: frozenset[str]
    """All deployments of this project, as ``flow/name``."""
    ended: tuple[EndedRun, ...] = ()
    """The runs that ended since ``WatchState.read_from``."""
    late: tuple[LateRun, ...] = ()
    """The runs that should have started by now."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be observed."""

    source: Kind
    """``Kind.SERVER`` or ``Kind.TABLES``."""
    why: str
    remedy: str


StillUnmade = Callable[[Mapping[str, PartitionSet], datetime, bool], Mapping[str, PartitionSet]]
"""(partitions by asset, since, forced) → those that are not right and that nobody has made since. With ``forced``,
partitions that are right do not count as made."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was observed at one moment. None means that something was not observed; ``unseen`` then says why."""

    at: datetime
    """The moment (aware)."""
    server: ServerView | None = None
    lags: tuple[Lag, ...] | None = None
    """The lags of all assets that declare a target."""
    unseen: tuple[Unseen, ...] = ()
    catch_up: str = ""
    """The command that makes what is missing."""
    environment: str = ""
    incomplete: tuple[Incomplete, ...] | None = None
    """All partitions that lack values."""
    missing: tuple[Lacking, ...] | None = None
    """Everything that is wanted and does not exist."""
    broken: tuple[Broken, ...] | None = None
    """All damaged tables."""
    unmade: StillUnmade | None = None
    """Tells which partitions are still not made; None where nobody can tell."""
    catch_up_days: float = math.inf
    """As many days back ``catch_up`` reaches."""
    scales: tuple[ChangedScale, ...] | None = None
    """The scales that changed recently."""


def after_observation(state: WatchState, seen: Observation) -> tuple[WatchState, tuple[Message, ...]]:
    """The state of the watch after an observation, and the messages because of it."""
    fold = _Fold(state, seen)
    fold.made()
    if seen.server is not None:
        for run in sorted(seen.server.ended, key=lambda run: (run.ended_at, run.id)):
            fold.run(run)
        if seen.server.ended:
            fold.made()
        fold.late(seen.server.late)
        fold.deployed(seen.server.deployments)
    if seen.lags is not None:
        fold.lags(seen.lags)
    if seen.incomplete is not None:
        fold.incomplete(seen.incomplete)
    if seen.missing is not None:
        fold.missing(seen.missing)
    if seen.broken is not None:
        fold.broken(seen.broken)
    if seen.scales is not None:
        fold.scales(seen.scales)
    for source in (Kind.SERVER, Kind.TABLES):
        fold.source(source, next((item for item in seen.unseen if item.source is source), None))
    return fold.state(), tuple(fold.messages)


class _Fold:
    """Changes the state of the watch by one observation."""

    def __init__(self, state: WatchState, seen: Observation) -> None:
        self._before, self._seen = state, seen
        self._newest, self._ends, self._completed = state.newest, dict(state.seen), dict(state.completed)
        self._incidents, self._missed = dict(state.incidents), dict(state.missed)
        self.messages: list[Message] = []

    def state(self) -> WatchState:
        ends = {key: end for key, end in self._ends.items() if end >= self._newest - OVERLAP}
        return replace(
            self._before,
            newest=self._newest,
            seen=ends,
            completed=self._completed,
            incidents=self._incidents,
            missed=self._missed,
        )

    def run(self, run: EndedRun) -> None:
        end = end_of(run.id, run.ended_at, run.result)
        if self._before.knows(run.id, run.ended_at, run.result) or end in self._ends:
            return
        self._newest, self._ends[end] = max(self._newest, run.ended_at), run.ended_at
        key, name = f"run:{run.deployment}", run.deployment
        if run.result.is_failure:
            kind, before = Kind(run.result.value), self._incidents.get(key)
            unmade = _together({} if before is None else before.unmade, run.unmade)
            self._open(key, kind, f"{name} {kind}", about_run(run, unmade), run.ended_at)
            self._remember(key, run.id, end)
            forced = run.forced or (before is not None and before.forced)
            self._incidents[key] = replace(self._incidents[key], unmade=unmade, forced=forced)
        elif run.result is Result.COMPLETED:
            self._completed[name] = max(run.ended_at, self._completed.get(name, run.ended_at))
        else:
            if key in self._incidents and run.id in self._incidents[key].runs:
                self._remember(key, run.id, end)
            return
        open_now, completed = self._incidents.get(key), self._completed.get(name)
        if open_now is None or open_now.unmade:  # what is there decides, not what ran
            return
        if completed is not None and open_now.last <= completed:
            text = about_completed(run) if run.result is Result.COMPLETED else "A later run has completed."
            self._close(key, f"{name} has completed again", text, completed)

    def made(self) -> None:
        """Removes the partitions that are made by now from the incidents of runs. An incident ends with its last
        partition."""
        for key, deployment in self._open_keys("run:"):
            known = self._incidents[key]
            if self._seen.unmade is None or not known.unmade:
                continue
            left = dict(self._seen.unmade(known.unmade, known.last, known.forced))
            if left:
                self._incidents[key] = replace(known, unmade=left)
            else:
                self._close(key, f"what {deployment} did not make is there", about_made(deployment))

    def late(self, runs: Sequence[LateRun]) -> None:
        late: dict[str, list[LateRun]] = {}
        for run in sorted(runs, key=lambda run: (run.expected_at, run.id)):
            late.setdefault(run.deployment, []).append(run)
        for deployment, of in sorted(late.items()):
            self._open_once(f"late:{deployment}", Kind.LATE, f"{deployment} is late", partial(about_late, of))
        for key, deployment in self._open_keys("late:"):
            if deployment not in late:
                self._close(key, f"{deployment} is no longer late", "No run of it waits any more.")

    def deployed(self, deployments: frozenset[str]) -> None:
        for key, deployment in self._open_keys("run:"):
            if deployment not in deployments and not self._incidents[key].unmade:
                self._close(key, f"{deployment} is no longer deployed", "Its runs are not watched any more.")

    def lags(self, lags: Sequence[Lag]) -> None:
        """Tables that lie behind for the same reason are one incident. It ends when none of them lies behind."""
        known = {key: self._incidents[key].assets or (asset,) for key, asset in self._open_keys(PREFIX)}
        late = by_reason((lag for lag in lags if lag.missed), known)
        for key, missed in late.items():
            self._behind(key, missed, known.get(key, ()))
        for key, tables in known.items():
            if key not in late:
                self._close(key, is_up_to_date(tables), look_at(tables))

    def _behind(self, key: str, missed: Sequence[Lag], known: Sequence[str]) -> None:
        def about(new: Container[str]) -> str:
            return about_lags(missed, self._seen.catch_up, new, self._seen.catch_up_days)

        tables = list(dict.fromkeys(lag.asset for lag in missed))
        assets = tuple(dict.fromkeys([*known, *tables]))
        locations = list(dict.fromkeys(lag.location for lag in missed))
        self._open_at_locations(key, Kind.FRESHNESS, lies_behind(tables), locations, about, assets)

    def incomplete(self, found: Sequence[Incomplete]) -> None:
        """Incidents of ended days that lack values. Days that were given up are reported once, when their incident
        ends."""
        lacking: dict[str, list[Incomplete]] = {}
        given_up: dict[str, list[Incomplete]] = {}
        for one in sorted(found, key=lambda one: (one.asset, one.location, one.partition)):
            if one.ended:
                (given_up if one.given_up else lacking).setdefault(one.asset, []).append(one)
        for asset, of in lacking.items():
            self._lacks_values(asset, of)
        for key, asset in self._open_keys("incomplete:"):
            if asset not in lacking:
                known = self._incidents[key].partitions
                gone = [one for one in given_up.get(asset, ()) if one.partition in known]
                title = f"days of {asset} that lack values are given up" if gone else f"{asset} is complete again"
                self._close(key, title, about_complete(asset, gone))

    def missing(self, found: Sequence[Lacking]) -> None:
        """Incidents of wanted partitions. Tables that lack the same share one. It ends when all exist, whoever made
        them."""
        known = {key: self._incidents[key].assets or (asset,) for key, asset in self._open_keys(MISSING)}
        key_of = {asset: key for key, assets in known.items() for asset in assets}
        lacking: dict[str, list[Lacking]] = {}
        for group in sorted((one for one in found if one.partitions), key=lambda one: one.assets):
            for key, one in group.of_each(key_of).items():
                lacking.setdefault(key, []).append(one)
        for key, of in lacking.items():
            now = [asset for one in of for asset in one.assets]
            locations = list(dict.fromkeys(location for one in of for location in one.partitions.locations))
            assets = tuple(dict.fromkeys([*known.get(key, ()), *now]))
            about = partial(about_missing, of)
            self._open_at_locations(key, Kind.MISSING, days_are_missing(now), locations, about, assets)
        for key, tables in known.items():
            if key not in lacking:
                self._close(key, days_are_there(tables), look_at(tables))

    def broken(self, found: Sequence[Broken]) -> None:
        """Incidents of damaged tables. One ends when its table is mended, whoever mended it."""
        for one in sorted(found, key=lambda one: one.asset):
            locations, about = one.partitions.locations, partial(about_broken, one)
            self._open_at_locations(f"damaged:{one.asset}", Kind.DAMAGED, one.title, locations, about)
        for key, asset in self._open_keys("damaged:"):
            if all(one.asset != asset for one in found):
                self._close(key, f"{asset} is mended", f"Look: aqi status {asset}")

    def scales(self, found: Sequence[ChangedScale]) -> None:
        changed = {one.asset: one for one in sorted(found, key=lambda one: one.asset)}
        for asset, one in changed.items():
            title = f"{one.title} changed on {one.first} in {asset}"
            self._open_at_locations(f"scale:{asset}", Kind.SCALE, title, one.locations, partial(about_scale, one))
        for key, asset in self._open_keys("scale:"):
            if asset not in changed:
                self._close(key, f"the newest days of {asset} follow one scale", f"Look: aqi status {asset}")

    def _lacks_values(self, asset: str, lacking: Sequence[Incomplete]) -> None:
        locations = list(dict.fromkeys(one.location for one in lacking))
        key, title = f"incomplete:{asset}", f"ended days of {asset} lack values"
        self._open_at_locations(key, Kind.INCOMPLETE, title, locations, partial(about_incomplete, asset, lacking))
        known = self._incidents[key]
        ever = dict.fromkeys([*known.partitions, *(one.partition for one in lacking)])
        self._incidents[key] = replace(known, partitions=tuple(ever))

    def _open_at_locations(
        self,
        key: str,
        kind: Kind,
        title: str,
        locations: Sequence[str],
        about: Callable[[Container[str]], str],
        assets: tuple[str, ...] = (),
    ) -> None:
        """Opens an incident, or reports it again when it concerns a location or table that was not reported in it.

        about: takes the new locations; gives the text. assets: all tables of the incident, where it may concern
        several.
        """
        known = self._incidents.get(key)
        reported = () if known is None else known.locations
        new = tuple(location for location in locations if location not in reported)
        text = _clean(about(()))
        self._open_once(key, kind, title, lambda: text)
        now = replace(self._incidents[key], text=text, last=self._seen.at, locations=(*reported, *new), assets=assets)
        if assets:
            now = replace(now, title=_clean(title))
        self._incidents[key] = now
        more = known is not None and bool(set(assets) - set(known.assets or assets[:1]))
        if known is not None and (new or more):
            what = " and ".join(["at more locations"] * bool(new) + ["more tables than before"] * more)
            self._tell(replace(now, title=f"{now.title}, {what}", text=_clean(about(new))), Event.CHANGED, now.last)

    def source(self, source: Kind, unseen: Unseen | None) -> None:
        key, server = f"unseen:{source}", source is Kind.SERVER
        if unseen is not None:
            self._missed[source.value] = self._missed.get(source.value, 0) + 1
            if self._missed[source.value] >= PATIENCE:
                title = "the Prefect server does not answer" if server else "the tables cannot be read"
                self._open_once(key, source, title, partial(about_unseen, unseen.why, unseen.remedy))
        elif (self._seen.server if server else self._seen.lags) is not None:
            self._missed.pop(source.value, None)
            if key in self._incidents:
                title = "the Prefect server answers again" if server else "the tables can be read again"
                self._close(key, title, "What happened meanwhile is told now.")

    def _open_keys(self, prefix: str) -> list[tuple[str, str]]:
        return [(key, key.removeprefix(prefix)) for key in sorted(self._incidents) if key.startswith(prefix)]

    def _open_once(self, key: str, kind: Kind, title: str, text: Callable[[], str]) -> None:
        if key not in self._incidents:
            self._open(key, kind, title, text(), self._seen.at)

    def _open(self, key: str, kind: Kind, title: str, text: str, at: datetime) -> None:
        """Opens an incident; reports it, unless it was reported as of this kind."""
        title, text = " ".join(_clean(title).split()), _clean(text)
        known = self._incidents.get(key)
        if known is None:
            self._incidents[key] = Incident(key, kind, title, text, at, at, (kind,))
            self._tell(self._incidents[key], Event.BEGAN, at)
        elif at < known.last:  # seen after what came after it
            self._incidents[key] = replace(known, since=min(at, known.since))
        else:
            reported = (*known.told, kind) if kind not in known.told else known.told
            self._incidents[key] = replace(known, kind=kind, title=title, text=text, last=at, told=reported)
            if reported != known.told:
                self._tell(self._incidents[key], Event.CHANGED, at)

    def _remember(self, key: str, run_id: str, end: str) -> None:
        known = self._incidents[key]
        others = [(id, seen) for id, seen in known.runs.items() if id != run_id]
        self._incidents[key] = replace(known, runs=dict([*others, (run_id, end)][-RUNS_KEPT:]))

    def _close(self, key: str, title: str, text: str, at: datetime | None = None) -> None:
        known, ended = self._incidents.pop(key), at or self._seen.at
        text = f"{text}\nIt began {day_and_time(known.since)}: {known.title}."
        self._tell(replace(known, title=" ".join(_clean(title).split()), text=_clean(text)), Event.RECOVERED, ended)

    def _tell(self, incident: Incident, event: Event, at: datetime) -> None:
        self.messages.append(Message.of(incident, event, self._seen.environment, at))


def _together(known: Mapping[str, PartitionSet], new: Iterable[tuple[str, PartitionSet]]) -> dict[str, PartitionSet]:
    """The union of both, by asset."""
    both = dict(known)
    for asset, partitions in new:
        both[asset] = both.get(asset, PartitionSet.empty()) | partitions
    return both


def _clean(text: str) -> str:
    """The text without characters that a channel cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")

"""What is wrong now, and whom to tell: `aqi watch`, folded look by look.

Each incident is told once, its recovery once. One that is about partitions ends when these are made, by whatever run
or command, and not before. Where no partition is known, the run of a deployment that ended last decides, in whatever
order they are seen. A failure and a recovery between two looks are both told.

Pure: what is looked at, and how messages are sent, is the business of ``orchestration.service.watch``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from orchestration.core.alerts.deliveries import KEPT, delivered, queued, refused, to_send
from orchestration.core.alerts.incident_words import (
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
)
from orchestration.core.alerts.late_tables import PREFIX, about_lags, by_reason, is_up_to_date, lies_behind, look_at
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
    "delivered",
    "look",
    "queued",
    "refused",
    "to_send",
]

PATIENCE = 2
"""So many looks in a row must see nothing of the server, or of the tables, before that is an incident."""
RUNS_KEPT = 20
"""So many runs of an incident are looked at again."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """What the Prefect server says. deployments: all of ours, ``flow/name``. ended: since ``WatchState.read_from``."""

    deployments: frozenset[str]
    ended: tuple[EndedRun, ...] = ()
    late: tuple[LateRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """A source that could not be looked at: Kind.SERVER or Kind.TABLES."""

    source: Kind
    why: str
    remedy: str


StillUnmade = Callable[[Mapping[str, PartitionSet], datetime, bool], Mapping[str, PartitionSet]]
"""(partitions by asset, since, forced) → those that nobody has made since then, nor are they right; the latter does not
count where they were to be made although they are."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a look saw at ``at``. server, lags, incomplete, missing, broken: None where they were not seen; ``unseen``
    says why.

    lags: of all assets with a target. incomplete: all partitions that lack values. missing: what is wanted and not
    there. broken: all tables that are damaged. scales: those that changed of late. unmade: what of partitions is not
    made; None where nobody can tell.
    catch_up: the command that makes what is missing, catch_up_days back.
    """

    at: datetime
    server: ServerView | None = None
    lags: tuple[Lag, ...] | None = None
    unseen: tuple[Unseen, ...] = ()
    catch_up: str = ""
    environment: str = ""
    incomplete: tuple[Incomplete, ...] | None = None
    missing: tuple[Lacking, ...] | None = None
    broken: tuple[Broken, ...] | None = None
    unmade: StillUnmade | None = None
    catch_up_days: float = math.inf
    scales: tuple[ChangedScale, ...] | None = None


def look(state: WatchState, seen: Observation) -> tuple[WatchState, tuple[Message, ...]]:
    """The state after a look, and what is to be told because of it."""
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
    """One look, while it is folded."""

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
        if run.result.bad:
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
        """What of the partitions that runs did not make is made by now; an incident ends with the last of them."""
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
        """Tables that are late for one reason are one incident; it ends when none of them is late any more."""
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
        """Of ended days; what is given up is told once, at the end of the incident that it was a part of."""
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
        """Of what is wanted; it ends when all of it is there, whoever makes it."""
        lacking = {one.asset: one for one in sorted(found, key=lambda one: one.asset) if one.partitions}
        for asset, one in lacking.items():
            title, locations = f"days of {asset} that are wanted are missing", one.partitions.locations
            self._open_at_locations(f"missing:{asset}", Kind.MISSING, title, locations, partial(about_missing, one))
        for key, asset in self._open_keys("missing:"):
            if asset not in lacking:
                self._close(key, f"{asset} has all days that are wanted", f"Look: aqi status {asset}")

    def broken(self, found: Sequence[Broken]) -> None:
        """Of tables; it ends when one is mended, whoever does it."""
        for one in sorted(found, key=lambda one: one.asset):
            locations, about = one.partitions.locations, partial(about_broken, one)
            self._open_at_locations(f"damaged:{one.asset}", Kind.DAMAGED, one.title, locations, about)
        for key, asset in self._open_keys("damaged:"):
            if all(one.asset != asset for one in found):
                self._close(key, f"{asset} is mended", f"Look: aqi status {asset}")

    def scales(self, found: Sequence[ChangedScale]) -> None:
        changed = {one.asset: one for one in sorted(found, key=lambda one: one.asset)}
        for asset, one in changed.items():
            title = f"{one.told} changed on {one.first} in {asset}"
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
        """Told anew when a location, or a table, is concerned that was not told in this incident.

        about: the text; new locations first. assets: all tables ever, where it may be about several.
        """
        known = self._incidents.get(key)
        told = () if known is None else known.locations
        new = tuple(location for location in locations if location not in told)
        text = _clean(about(()))
        self._open_once(key, kind, title, lambda: text)
        now = replace(self._incidents[key], text=text, last=self._seen.at, locations=(*told, *new), assets=assets)
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
        """Something is wrong; told if nobody knows, or not that it is of this kind."""
        title, text = " ".join(_clean(title).split()), _clean(text)
        known = self._incidents.get(key)
        if known is None:
            self._incidents[key] = Incident(key, kind, title, text, at, at, (kind,))
            self._tell(self._incidents[key], Event.BEGAN, at)
        elif at < known.last:  # seen after what came after it
            self._incidents[key] = replace(known, since=min(at, known.since))
        else:
            told = (*known.told, kind) if kind not in known.told else known.told
            self._incidents[key] = replace(known, kind=kind, title=title, text=text, last=at, told=told)
            if told != known.told:
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
    """Both, by asset."""
    both = dict(known)
    for asset, partitions in new:
        both[asset] = both.get(asset, PartitionSet.empty()) | partitions
    return both


def _clean(text: str) -> str:
    """Text that every channel can encode."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")

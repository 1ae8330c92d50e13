"""What `aqi watch` remembers from look to look: what is wrong, and what each channel has yet to take.

Pure: where it is kept is the business of ``orchestration.service.watch``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import PartitionSet

FORMAT = 2
OVERLAP = timedelta(minutes=10)
"""A run may become visible so long after one that ended later."""
FIRST_LOOK = timedelta(hours=24)
REFUSALS = 3
"""A message that a channel refuses at so many looks is replaced by a short one."""


class Kind(StrEnum):
    """What is wrong. INCOMPLETE: ended days lack values. MISSING: days that are wanted are not there. DAMAGED: rows of
    a table are lost, or it cannot be used as it is. SCALE: by which a source works values out, changed of late. SERVER,
    TABLES: that they cannot be looked at."""

    FAILED = "failed"
    CRASHED = "crashed"
    LATE = "late"
    FRESHNESS = "freshness"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    SCALE = "scale"
    DAMAGED = "damaged"
    SERVER = "server"
    TABLES = "tables"


KINDS = frozenset(Kind)


class Event(StrEnum):
    """Why there is a message. CHANGED: a crash after a failure, or the other way round; or more locations."""

    BEGAN = "began"
    CHANGED = "changed"
    RECOVERED = "recovered"
    TEST = "test"


EVENTS = frozenset(Event)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that is wrong. key: one per deployment, asset or source. since: when it began.

    last: the newest evidence of it. told: the kinds that people know of. locations: likewise, of a table that lies
    behind or lacks values. runs: by id the end that was seen, of the newest runs that did not complete: Prefect may
    yet give them another. partitions: that have lacked values since it began. assets: the tables that lie behind, all
    that have since it began.
    """

    key: str
    kind: Kind
    title: str
    text: str
    since: datetime
    last: datetime
    told: tuple[Kind, ...]
    locations: tuple[str, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    unmade: Mapping[str, PartitionSet] = field(default_factory=dict)
    forced: bool = False
    assets: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        said = asdict(replace(self, unmade={}))
        unmade = {asset: partitions.to_json() for asset, partitions in self.unmade.items()}
        said["places"] = said.pop("locations")  # a name on disk
        return {**said, "since": self.since.isoformat(), "last": self.last.isoformat(), "unmade": unmade}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """The inverse of ``to_json``."""
        since, last = (datetime.fromisoformat(data[name]) for name in ("since", "last"))
        told = tuple(Kind(kind) for kind in data["told"] if kind in KINDS)
        known = (data["key"], Kind(data["kind"]), data["title"], data["text"])
        partitions = tuple(data.get("partitions", ()))  # states of format 2 were without these, at first
        unmade = {asset: PartitionSet.from_json(of) for asset, of in data.get("unmade", {}).items()}
        runs, forced = dict(data["runs"]), bool(data.get("forced"))
        assets = tuple(data.get("assets", ()))  # as above
        return cls(*known, since, last, told, tuple(data["places"]), runs, partitions, unmade, forced, assets)


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, through every channel. at, since: ISO 8601, UTC. title: one line. id: the same when sent again."""

    event: Event
    kind: str
    key: str
    title: str
    text: str
    at: str
    since: str
    environment: str = ""

    @classmethod
    def of(cls, incident: Incident, event: Event, environment: str, at: datetime) -> Message:
        """What is told of an incident because of something that happened at ``at``."""
        known = (str(incident.kind), incident.key, incident.title, incident.text)
        return cls(event, *known, iso(at), iso(incident.since), environment)

    @property
    def id(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """The inverse of ``to_json``."""
        values = {name: value for name, value in data.items() if name not in ("id", "event")}
        return cls(event=Event(data["event"]), **values)


@dataclass(frozen=True, slots=True)
class WatchState:
    """What is remembered from look to look.

    newest: the end of the run that ended last, of those seen. seen: runs that ended within OVERLAP before it.
    completed: per deployment the end of the last run that completed. missed: looks in a row without a source.
    undelivered: per channel, oldest first. refused: per channel, by a message's id, the looks at which it refused it;
    REFUSALS for the short one in its place. others: incidents of kinds that a newer version knows, as it wrote them:
    it tells their end.
    """

    newest: datetime
    seen: Mapping[str, datetime] = field(default_factory=dict)
    completed: Mapping[str, datetime] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)
    undelivered: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)
    refused: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    others: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def begin(cls, now: datetime) -> WatchState:
        """Before the first look ever."""
        return cls(newest=now - FIRST_LOOK + OVERLAP)

    @property
    def read_from(self) -> datetime:
        """Runs that ended before are not looked at."""
        return self.newest - OVERLAP

    @property
    def read_again(self) -> dict[str, str]:
        """Runs that are looked at whenever they ended, by id, with the end that was seen."""
        return {id: end for incident in self.incidents.values() for id, end in incident.runs.items()}

    def knows(self, run_id: str, ended_at: datetime, result: str) -> bool:
        """Whether this end of a run needs no look. A run that is retried, or that was no crash, ends again."""
        end, known = end_of(run_id, ended_at, result), self.read_again.get(run_id)
        return end in self.seen or end == known or (known is None and ended_at < self.read_from)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "newest": self.newest.isoformat(),
            "seen": {key: end.isoformat() for key, end in self.seen.items()},
            "completed": {deployment: end.isoformat() for deployment, end in self.completed.items()},
            "incidents": [*(incident.to_json() for incident in self.incidents.values()), *self.others],
            "missed": dict(self.missed),
            "undelivered": {name: [message.to_json() for message in of] for name, of in self.undelivered.items()},
            "refused": {name: dict(of) for name, of in self.refused.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WatchState:
        """The inverse of ``to_json``. Raises ValueError for what is no state of this format."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"a state must have the format {FORMAT} (got {data['format']!r})")
            incidents = [Incident.from_json(item) for item in data["incidents"] if item["kind"] in KINDS]
            return cls(
                newest=datetime.fromisoformat(data["newest"]),
                seen={key: datetime.fromisoformat(end) for key, end in data["seen"].items()},
                completed={name: datetime.fromisoformat(end) for name, end in data["completed"].items()},
                incidents={incident.key: incident for incident in incidents},
                missed=dict(data["missed"]),
                undelivered={
                    name: tuple(Message.from_json(message) for message in of if message["event"] in EVENTS)
                    for name, of in data["undelivered"].items()
                },
                refused={name: dict(of) for name, of in data["refused"].items()},
                others=tuple(item for item in data["incidents"] if item["kind"] not in KINDS),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no state of a watch ({error!r})") from error


def end_of(run_id: str, ended_at: datetime, result: str) -> str:
    """An end of a run."""
    return f"{run_id}@{ended_at.isoformat()} {result}"

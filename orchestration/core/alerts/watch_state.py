"""The memory of `aqi watch` between two observations: the open incidents, and the messages that channels have not
taken.

Pure: ``orchestration.service.watch`` stores it.
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
"""A run may become visible this much later than a run that ended after it."""
FIRST_LOOK = timedelta(hours=24)
"""The first observation reads runs that ended within this time."""
REFUSALS = 3
"""A message that a channel refuses in this many observations is replaced by a short one."""


class Kind(StrEnum):
    """What is wrong. The values are stored."""

    FAILED = "failed"
    CRASHED = "crashed"
    LATE = "late"
    FRESHNESS = "freshness"
    INCOMPLETE = "incomplete"
    """Ended days lack values."""
    MISSING = "missing"
    """Wanted days do not exist."""
    SCALE = "scale"
    """A source computes some values in another way than before."""
    DAMAGED = "damaged"
    """Rows of a table are lost, or the table cannot be used."""
    SERVER = "server"
    """The Prefect server cannot be observed."""
    TABLES = "tables"
    """The tables cannot be observed."""


KINDS = frozenset(Kind)


class Event(StrEnum):
    """Why a message is sent. CHANGED: the kind changed, from failed to crashed or back, or the incident concerns more
    locations. The values are stored."""

    BEGAN = "began"
    CHANGED = "changed"
    RECOVERED = "recovered"
    TEST = "test"


EVENTS = frozenset(Event)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that is wrong. The names of the fields are stored."""

    key: str
    """One for each deployment, asset or source."""
    kind: Kind
    title: str
    text: str
    since: datetime
    """When it began."""
    last: datetime
    """The time of the newest evidence."""
    told: tuple[Kind, ...]
    """The kinds as which it was reported."""
    locations: tuple[str, ...] = ()
    """The locations that were reported, for a table that lies behind or lacks values."""
    runs: Mapping[str, str] = field(default_factory=dict)
    """Run id → its end, for the newest runs that did not complete. Prefect may still change how they ended."""
    partitions: tuple[str, ...] = ()
    """All partitions that lacked values since it began."""
    unmade: Mapping[str, PartitionSet] = field(default_factory=dict)
    """Asset → the partitions that runs did not make and that nobody has made since."""
    forced: bool = False
    """Whether a run was to make fresh partitions too."""
    assets: tuple[str, ...] = ()
    """All tables that lay behind since it began."""

    def to_json(self) -> dict[str, Any]:
        said = asdict(replace(self, unmade={}))
        unmade = {asset: partitions.to_json() for asset, partitions in self.unmade.items()}
        said["places"] = said.pop("locations")  # a name on disk
        return {**said, "since": self.since.isoformat(), "last": self.last.isoformat(), "unmade": unmade}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """The inverse of ``to_json``."""
        since, last = (datetime.fromisoformat(data[name]) for name in ("since", "last"))
        reported = tuple(Kind(kind) for kind in data["told"] if kind in KINDS)
        known = (data["key"], Kind(data["kind"]), data["title"], data["text"])
        partitions = tuple(data.get("partitions", ()))  # states of format 2 were without these, at first
        unmade = {asset: PartitionSet.from_json(of) for asset, of in data.get("unmade", {}).items()}
        runs, forced = dict(data["runs"]), bool(data.get("forced"))
        assets = tuple(data.get("assets", ()))  # as above
        return cls(*known, since, last, reported, tuple(data["places"]), runs, partitions, unmade, forced, assets)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent through every channel. The names of the fields are stored, and ``id`` follows from them."""

    event: Event
    kind: str
    """The ``Kind`` of the incident."""
    key: str
    """The key of the incident."""
    title: str
    """One line."""
    text: str
    at: str
    """When it happened (ISO 8601, UTC)."""
    since: str
    """When the incident began (ISO 8601, UTC)."""
    environment: str = ""

    @classmethod
    def of(cls, incident: Incident, event: Event, environment: str, at: datetime) -> Message:
        """The message about an incident, because of an event at ``at``."""
        known = (str(incident.kind), incident.key, incident.title, incident.text)
        return cls(event, *known, iso(at), iso(incident.since), environment)

    @property
    def id(self) -> str:
        """The same for the same message, however often it is sent."""
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
    """Everything that is remembered between two observations. The names of the fields are stored."""

    newest: datetime
    """When the latest of all observed runs ended."""
    seen: Mapping[str, datetime] = field(default_factory=dict)
    """Observed runs that ended within OVERLAP before ``newest``, with the time of their end."""
    completed: Mapping[str, datetime] = field(default_factory=dict)
    """Deployment → when its latest completed run ended."""
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    """The open incidents, by key."""
    missed: Mapping[str, int] = field(default_factory=dict)
    """Source → how many times in a row it could not be observed."""
    undelivered: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)
    """Channel → the messages that it has not taken, the oldest first."""
    refused: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Channel → id of a message → in how many observations the channel refused it. REFUSALS for the short message that
    replaced it."""
    others: tuple[Mapping[str, Any], ...] = ()
    """Incidents of kinds that only a newer version knows, as that version wrote them. That version reports their
    end.
    """

    @classmethod
    def begin(cls, now: datetime) -> WatchState:
        """The memory before the first observation."""
        return cls(newest=now - FIRST_LOOK + OVERLAP)

    @property
    def read_from(self) -> datetime:
        """Runs that ended before this instant are not read."""
        return self.newest - OVERLAP

    @property
    def read_again(self) -> dict[str, str]:
        """Runs that are read again whenever they ended: run id → the end that was observed."""
        return {id: end for incident in self.incidents.values() for id, end in incident.runs.items()}

    def knows(self, run_id: str, ended_at: datetime, result: str) -> bool:
        """Whether this end of a run was observed before. A run that is retried, or that had not really crashed, ends
        again."""
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
    """The end of a run as text: one that differs is another end."""
    return f"{run_id}@{ended_at.isoformat()} {result}"

"""The outside watch: observes the Prefect server and the tables, and reports what is wrong.

It is a process of its own, because a dead run reports nothing. What was reported is remembered in the user's state
folder, under a lock, so that several watches of an environment on one machine report everything once. A message counts
as delivered when its channel took it. If the watch is killed in between, it sends the message again, with the same id.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from orchestration.core.alerts.incident_words import Broken, ChangedScale, Incomplete, Lacking, Lag, command_to_run
from orchestration.core.alerts.incidents import (
    Observation,
    ServerView,
    StillUnmade,
    Unseen,
    after_observation,
    delivered,
    queued,
    refused,
    to_send,
)
from orchestration.core.alerts.watch_state import Event, Incident, Kind, Message, WatchState
from orchestration.core.calendar import iso
from orchestration.core.errors import LakehouseError, in_a_line
from orchestration.engine.exclusive import log_folder
from orchestration.service.deployments import deployment_name, environment_tags
from orchestration.service.watched import Say, Sources
from resources.alert_channels import AlertError, Bounded, Channel, subject
from resources.delta.warehouse import Warehouse
from resources.machine.addresses import without_secrets
from resources.machine.clock import Clock, system_clock
from resources.machine.secrets import hidden
from resources.prefect.client import why_unseen
from resources.settings.load import Settings
from resources.spark.on_yarn import resolve_warehouse
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

__all__ = ["Sources", "Watch", "WatchResult", "a_test", "make_watch", "state_file"]

SENDING_SECONDS = 30.0
"""One channel may take at most this long in one observation."""

ReadServer = Callable[[WatchState], ServerView]
ReadLags = Callable[[], Sequence[Lag]]
ReadIncomplete = Callable[[], Sequence[Incomplete]]
ReadMissing = Callable[[], Sequence[Lacking]]
ReadScales = Callable[[], Sequence[ChangedScale]]
ReadBroken = Callable[[], Sequence[Broken]]


@dataclass(frozen=True)
class WatchResult:
    """The result of one observation."""

    incidents: tuple[Incident, ...]
    """The open incidents."""
    unseen: tuple[Unseen, ...] = ()
    """What could not be observed."""
    untold: tuple[str, ...] = ()
    """The channels that did not take every message."""

    @property
    def is_healthy(self) -> bool:
        """Whether everything was observed, nothing is wrong, and every message was taken."""
        return not (self.incidents or self.unseen or self.untold)


def state_file(settings: Settings, api_url: str) -> Path:
    """The file with the memory of a watch: one for each environment, server and warehouse."""
    environment = settings.deploy.environment
    about = [without_secrets(api_url).rstrip("/"), _warehouse(settings), environment]
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:12]
    return log_folder().parent / f"watch-{environment or 'default'}-{digest}.json"


class Watch:
    """Observes and reports. say: called with a line for every message that was sent and for everything that went wrong.

    Without channels it only observes and remembers nothing. read_lags, read_incomplete, read_missing, read_broken,
    read_scales, read_server: read what the fields of ``Observation`` have. unmade: tells which partitions are still not
    made; None: nobody can tell. free_slots: ends runs whose process is gone, and says so. clock: the real time, even if
    the settings have another clock for the tables. sending_seconds: see SENDING_SECONDS.
    """

    def __init__(
        self,
        settings: Settings,
        channels: Mapping[str, Channel],
        read_server: ReadServer,
        read_lags: ReadLags,
        say: Say,
        *,
        read_incomplete: ReadIncomplete = tuple,
        read_missing: ReadMissing = tuple,
        read_scales: ReadScales = tuple,
        read_broken: ReadBroken = tuple,
        unmade: StillUnmade | None = None,
        free_slots: Callable[[], Sequence[str]] = tuple,
        api_url: str = "",
        clock: Clock = system_clock,
        sending_seconds: float = SENDING_SECONDS,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._say: Callable[[str], None] = lambda line: say(hidden(line))
        self._sending_seconds = sending_seconds
        self._channels = {name: Bounded(channel) for name, channel in channels.items()}
        self._read_server, self._read_lags, self._read_incomplete = read_server, read_lags, read_incomplete
        self._read_missing, self._read_broken, self._read_scales = read_missing, read_broken, read_scales
        self._unmade, self._free_slots = unmade, free_slots
        self._api_url = without_secrets(api_url)
        self._file = state_file(settings, api_url)
        self._unsaved: WatchState | None = None
        self._told_of_none = False

    def forever(self) -> NoReturn:
        """Observe every ``alerts.every_seconds``, whatever happens."""
        while True:
            try:
                self.observe()
            except Exception as error:  # told here, tried again at the next look  # noqa: BLE001
                self._say(f"this look failed ({in_a_line(error)})")
            time.sleep(self._settings.alerts.every_seconds)

    def observe(self) -> WatchResult:
        """Observe once, and report."""
        if not self._channels:
            return self._observe_only()
        with self._locked():
            before = self._load()
            seen = self._observe(before)
            after, messages = after_observation(before, seen)
            environment = self._settings.deploy.environment
            state = queued(before, after, messages, self._channels, environment)
            self._save(state)
            untold = []
            for name in self._channels:
                state, everything = self._deliver(state, name)
                untold += [] if everything else [name]
        return WatchResult(tuple(after.incidents.values()), seen.unseen, tuple(untold))

    def _observe_only(self) -> WatchResult:
        before = self._load()
        seen = self._observe(before)
        after, messages = after_observation(before, seen)
        for message in messages:
            self._say(f"no channel is configured (alerts), so nobody is told: {subject(message)}")
        return WatchResult(tuple(after.incidents.values()), seen.unseen)

    def _observe(self, state: WatchState) -> Observation:
        now, unseen = self._clock(), []
        server, unmade = None, None
        tables: dict[str, Any] = {}
        try:
            for line in self._free_slots():
                self._say(line)
            server = self._read_server(state)
        except Exception as error:  # becomes an incident  # noqa: BLE001
            where = f"{self._api_url}: {why_unseen(error)}"
            unseen.append(Unseen(Kind.SERVER, where, "prefect server start, or see why that one does not answer"))
        try:
            tables = {"lags": tuple(self._read_lags()), "incomplete": tuple(self._read_incomplete())}
            tables |= {"missing": tuple(self._read_missing()), "broken": tuple(self._read_broken())}
            unmade = self._unmade
        except Exception as error:  # becomes an incident  # noqa: BLE001
            unseen.append(Unseen(Kind.TABLES, in_a_line(error), "aqi doctor, then aqi status"))
        scales = self._changed_scales() if tables else None
        for item in unseen:
            self._say(f"the {item.source} could not be looked at ({item.why})")
        if server is not None and not server.deployments and not self._told_of_none:
            self._told_of_none = True
            self._say(f"no deployment is tagged {' and '.join(environment_tags(self._settings))}; aqi deploy --all")
        catch_up, environment = _catch_up(self._settings), self._settings.deploy.environment
        days = self._settings.hourly.catch_up_days
        configured: dict[str, Any] = {"catch_up": catch_up, "environment": environment, "catch_up_days": days}
        return Observation(now, server, unseen=tuple(unseen), unmade=unmade, scales=scales, **configured, **tables)

    def _changed_scales(self) -> tuple[ChangedScale, ...] | None:
        """The scales that changed recently; None where rows cannot be read, which is reported elsewhere."""
        try:
            return tuple(self._read_scales())
        except Exception as error:  # what is known lasts  # noqa: BLE001
            self._say(f"whether a scale changed cannot be told ({in_a_line(error)})")
            return None

    def _deliver(self, state: WatchState, name: str) -> tuple[WatchState, bool]:
        """Send a channel its messages. Gives the state, and whether the channel took all of them."""
        until, given_up = time.monotonic() + self._sending_seconds, False
        for message in to_send(state, name):
            trying: Message | None = message
            while trying is not None:
                error = self._send(name, trying, until)
                if error is None or error.partly:
                    state, trying = delivered(state, name, trying), None
                elif error.refused:
                    state, instead = refused(state, name, trying)
                    if instead is None:
                        self._say(f"{name}: given up: {subject(trying)}")
                        given_up = True
                    trying = None if instead == trying else instead
                else:
                    return state, False
                self._save(state)
        return state, not (given_up or state.undelivered[name])

    def _send(self, name: str, message: Message, until: float) -> AlertError | None:
        left = until - time.monotonic()
        if left <= 0:
            error: AlertError | None = AlertError("the rest is for the next look: this one took too long")
        else:
            error = self._channels[name].send(message, left)
        if error is not None:
            self._say(f"{name}: {error.message}")
        if error is None or error.partly:
            self._say(f"{name}: {message.event}: {subject(message)}")
        return error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock = self._file.with_suffix(".lock").open("w")
        except OSError as error:  # better told twice than not at all
            self._say(f"{self._file.parent} cannot be written ({error.strerror})")
            yield
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> WatchState:
        if self._unsaved is not None:
            return self._unsaved
        try:
            return WatchState.from_json(read_json(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return WatchState.begin(self._clock())
        except (OSError, ValueError) as error:
            self._say(f"what was told before cannot be read, begun anew ({self._file}: {in_a_line(error)})")
            return WatchState.begin(self._clock())

    def _save(self, state: WatchState) -> None:
        try:
            files, folder = open_files(str(self._file.parent))
            write_atomically(files, f"{folder}/{self._file.name}", json.dumps(state.to_json(), indent=1).encode())
            self._unsaved = None
        except OSError as error:
            self._unsaved = state
            self._say(f"{self._file} cannot be written ({error.strerror}); another watch would tell everything again")


def make_watch(settings: Settings, channels: Mapping[str, Channel], api_url: str, say: Say) -> Watch:
    """The watch over the environment of ``settings``: its deployments on the server, and its warehouse."""
    sources = Sources(settings, api_url, say)
    return Watch(
        settings,
        channels,
        sources.server,
        sources.lags,
        say,
        read_incomplete=sources.incomplete,
        read_missing=sources.missing,
        read_scales=sources.scales,
        read_broken=sources.broken,
        unmade=sources.still_unmade,
        free_slots=sources.free_slots,
        api_url=api_url,
    )


def a_test(now: Clock = system_clock, environment: str = "") -> Message:
    """What `aqi watch --test` sends."""
    at = iso(now())
    text = "Sent by `aqi watch --test`. Nothing is wrong."
    return Message(Event.TEST, "test", "test", "a test of this channel", text, at, at, environment)


def _warehouse(settings: Settings) -> str:
    """The address of the warehouse; as it is configured, if the cluster is not known on this machine."""
    try:
        return Warehouse(resolve_warehouse(settings.warehouse.uri)).uri
    except LakehouseError:
        return settings.warehouse.uri or ""


def _catch_up(settings: Settings) -> str:
    """The command that makes what is missing, if the deployment for it is declared."""
    hourly = settings.deployments.get("hourly")
    return "" if hourly is None else command_to_run(f"{hourly.flow}/{deployment_name(settings, 'hourly')}", {})

"""The words of alerts: a title and a text for each kind of incident, and the commands that mend it.

Pure: values in, text out.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from orchestration.core.partitions.hulls import Hull, hulls_of
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet

WHY_LENGTH = 4000
"""At most this many characters of a run's own report are shown; the rest is behind the link."""
LOCATIONS = 20
"""At most this many locations, or partitions, of an asset are named."""
TITLE_LENGTH = 200
COMMANDS = 3
"""At most this many commands are shown."""
MISSING = "missing:"
"""How the keys of these incidents begin. The rest of a key is the first of the incident's first tables."""
DAYS_OF: Mapping[str, Callable[[Hull], Mapping[str, Any]]] = {
    "materialize": lambda hull: {"partitions": hull.range},
    "backfill": lambda hull: {"start_date": hull.first.isoformat(), "end_date": hull.last.isoformat()},
}
"""Flow → the parameters that name the days of a hull."""
_PLAIN = re.compile(r"[\w .:*+,/()@-]+")


class Result(StrEnum):
    """How the run of a deployment ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"

    @property
    def is_failure(self) -> bool:
        """Whether somebody should be told."""
        return self in (Result.FAILED, Result.CRASHED)


class Lag(Protocol):
    """How far an asset lies behind at a location. lag_hours: None where the asset has nothing at all there."""

    @property
    def asset(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def covered_until(self) -> datetime | None: ...
    @property
    def lag_hours(self) -> float | None: ...
    @property
    def target_hours(self) -> float | None: ...
    @property
    def missed(self) -> bool: ...


class Incomplete(Protocol):
    """A partition that lacks values. ended: whether its period is over. given_up: whether its source is not asked
    again."""

    @property
    def asset(self) -> str: ...
    @property
    def partition(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def in_words(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    @property
    def given_up(self) -> bool: ...


class ChangedScale(Protocol):
    """Recent changes of a scale of an asset. title: the name of the scale. first: the first day with a change.
    sentences: what is to be said of all changes."""

    @property
    def asset(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def first(self) -> date: ...
    @property
    def locations(self) -> Sequence[str]: ...
    @property
    def sentences(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of a deployment that has ended."""

    id: str
    name: str
    deployment: str
    """``flow/name``."""
    result: Result
    ended_at: datetime
    message: str = ""
    """The message of its last state."""
    link: str = ""
    """The address of its page."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Its parameters, with days that mean the same tomorrow."""
    unmade: tuple[tuple[str, PartitionSet], ...] = ()
    """(asset, partitions) that it set out to make and did not make."""

    @property
    def forced(self) -> bool:
        """Whether it was to make fresh partitions too."""
        return bool(self.parameters.get("force") or self.parameters.get("restart"))


@dataclass(frozen=True, slots=True)
class Lacking:
    """The wanted partitions that all of these assets alike do not have. fill: the commands that make them."""

    assets: tuple[str, ...]
    partitions: PartitionSet
    fill: tuple[str, ...] = ()

    def of_each(self, key_of: Mapping[str, str]) -> Mapping[str, Lacking]:
        """By incident. key_of: of assets that are in one; the others join that of the first of them, or begin one."""
        known = [key_of[asset] for asset in self.assets if asset in key_of]
        begins = known[0] if known else f"{MISSING}{self.assets[0]}"
        of: dict[str, list[str]] = {}
        for asset in self.assets:
            of.setdefault(key_of.get(asset, begins), []).append(asset)
        return {key: replace(self, assets=tuple(assets)) for key, assets in of.items()}


@dataclass(frozen=True, slots=True)
class Broken:
    """A table that is damaged."""

    asset: str
    what: str
    """What is wrong."""
    remedy: str
    """What mends it, a sentence."""
    partitions: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions that are lost, or that a repair has not made yet. Empty where the table can only not be
    written.
    """

    @property
    def title(self) -> str:
        return f"{self.asset} is damaged" if self.partitions else f"{self.asset} cannot be used as it is"


@dataclass(frozen=True, slots=True)
class LateRun:
    """A run that should have started earlier, by more than its deployment allows."""

    id: str
    name: str
    deployment: str
    expected_at: datetime
    """When it should have started."""
    link: str = ""
    pool: str = ""
    """The work pool in which it waits for a worker."""
    taken: bool = False
    """Whether a worker took it, at ``expected_at``, and has not started it."""


def command_to_run(deployment: str, parameters: Mapping[str, Any]) -> str:
    """The shell command that runs a deployment with these parameters."""
    words = ["prefect", "deployment", "run", deployment]
    for name, value in parameters.items():
        words += ["--param", f"{name}={_as_parameter(value)}"]
    return shlex.join(words)


def _as_parameter(value: Any) -> str:
    """A value as the option ``--param`` reads it: as JSON, or as text where it is a text that is not JSON."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, default=str)


def commands_to_make(run: EndedRun, unmade: Mapping[str, PartitionSet]) -> list[str]:
    """The commands that make what a deployment did not make, one for each hull of partitions. If nothing is known of
    the partitions: the command that runs the deployment again.

    unmade: asset → the partitions that this run and earlier ones did not make.
    """
    reaches = hulls_of(unmade)
    flow = run.deployment.partition("/")[0]
    if not unmade or flow not in DAYS_OF:
        return [command_to_run(run.deployment, run.parameters)]
    selects = "select" if flow == "backfill" else "selection"
    everything = run.parameters.get(selects, "*") == "*" or len(unmade) > LOCATIONS
    known = {**run.parameters, selects: "*" if everything else " or ".join(unmade)}
    if "hourly" in known:
        known["hourly"] = False
    days = [{**DAYS_OF[flow](hull), "locations": list(hull.locations)} for hull in reaches]
    return [command_to_run(run.deployment, known | of) for of in days or [{}]]


def about_run(run: EndedRun, unmade: Mapping[str, PartitionSet] | None = None) -> str:
    """The text about a run that did not complete. unmade: the partitions that it and earlier runs did not make; None:
    those of this run alone."""
    unmade = dict(run.unmade) if unmade is None else unmade
    why = _bounded(run.message.strip() or "it says nothing; its log may")
    named = _bounded("\n".join(f"  {asset}: {partitions}" for asset, partitions in unmade.items()))
    commands = commands_to_make(run, unmade)
    more = len(commands) - COMMANDS
    lines = [
        f"Run: {run.name}, ended {day_and_time(run.ended_at)}",
        "Why:",
        *(f"  {line}" for line in why.splitlines()),
        *(["Partitions that were not made:", named] if unmade else []),
        *_look(run.link),
        *(f"Go on: {command}" for command in commands[:COMMANDS]),
        *([f"and {more} commands more, for other locations: see aqi status"] if more > 0 else []),
    ]
    return "\n".join(lines)


def about_made(run_or_deployment: str) -> str:
    """The text when everything exists that a deployment had not made."""
    return f"All partitions are there that runs of {run_or_deployment} had not made.\nLook: aqi status"


def days_are_missing(assets: Sequence[str]) -> str:
    """The title of an incident that begins; assets: at least one."""
    return f"days of {_tables(assets)} that are wanted are missing"


def days_are_there(assets: Sequence[str]) -> str:
    """The title of an incident that ends."""
    return f"{_tables(assets)} {'has' if len(assets) == 1 else 'have'} all days that are wanted"


def look_at(assets: Sequence[str]) -> str:
    """``Look: aqi status 'gold.a or gold.b'``."""
    return f"Look: aqi status {shlex.quote(' or '.join(assets))}"


def about_missing(lacking: Sequence[Lacking], _new: Container[str] = ()) -> str:
    """What of some assets is wanted and not there; the same at new locations, as sets name all."""
    fill = list(dict.fromkeys(command for one in lacking for command in one.fill))
    more = len(fill) - COMMANDS
    return "\n".join(
        [
            *(f"{_wanted(one)}: wanted (history.since), and in no table." for one in lacking),
            look_at([asset for one in lacking for asset in one.assets]),
            *(f"Go on: {command}" for command in fill[:COMMANDS]),
            *([f"and {more} commands more, for other locations: see aqi status"] if more > 0 else []),
        ]
    )


def _wanted(one: Lacking) -> str:
    count = len(one.partitions)
    if len(one.assets) == 1:
        return f"{one.partitions} ({count} in all)"
    return f"{one.partitions} ({count} in each of {', '.join(one.assets)})"


def _tables(assets: Sequence[str]) -> str:
    return assets[0] if len(assets) == 1 else f"{len(assets)} tables"


def about_broken(broken: Broken, _new: Container[str] = ()) -> str:
    """The text about a damaged table, with what mends it."""
    count = len(broken.partitions)
    return "\n".join(
        [
            "Why:",
            f"  {_bounded(broken.what)}",
            *([f"Partitions: {_bounded(str(broken.partitions))} ({count} in all)"] if count else []),
            f"Look: aqi status {broken.asset}",
            f"Go on: {broken.remedy}",
        ]
    )


def about_completed(run: EndedRun) -> str:
    """The text about a run that completed after others had not."""
    return "\n".join([f"Run: {run.name}, ended {day_and_time(run.ended_at)}", *_look(run.link)])


def about_late(runs: Sequence[LateRun]) -> str:
    """The text about the late runs of a deployment. runs: at least one, the one that waits longest first."""
    first = runs[0]
    waits = f"It waits in the pool {first.pool or '(none)'}. Is a worker running there? Is the pool full or paused?"
    start = shlex.join(["aqi", "worker", "start", *(["--pool", first.pool] if first.pool else [])])
    # Prefect's own cancellation of such a run waits for its worker for ever; a look of the watch frees the slot.
    on = shlex.join(["aqi", "watch", "--once"]) if first.taken else start
    lines = [
        f"Run: {first.name}, should have started {day_and_time(first.expected_at)}",
        *([f"{len(runs) - 1} more wait behind it."] if len(runs) > 1 else []),
        "Why:",
        "  A worker took it then, it has not begun, and it keeps its deployment's slot. Is the worker still running?"
        if first.taken
        else f"  {waits}",
        *_look(first.link),
        f"Go on: {on}",
    ]
    return "\n".join(lines)


def about_incomplete(asset: str, lacking: Sequence[Incomplete], new: Container[str] = ()) -> str:
    """The text about ended days of an asset that lack values. new: locations that are named first."""
    return "\n".join(
        [
            *_named(sorted(lacking, key=lambda one: one.location not in new)),
            "They are asked for again by hourly runs, until they are whole or given up.",
            f"Look: aqi status {asset}",
        ]
    )


def about_complete(asset: str, given_up: Sequence[Incomplete]) -> str:
    """The text about days that lacked values. given_up: those that stay as they are."""
    look = f"Look: aqi status {asset}"
    if not given_up:
        return look
    heading = "Given up, as they are too old to be asked for again (hourly.incomplete_days):"
    days = PartitionSet.from_keys(PartitionKey.parse(one.partition) for one in given_up).pieces()
    force = [
        f"Go on: aqi materialize {asset} --force --partitions {Days.of(first, last)} --locations {location}"
        for location, first, last in days
    ]
    more = len(force) - COMMANDS
    rest = [f"and {more} commands more, for other days"] if more > 0 else []
    return "\n".join([heading, *_named(given_up), *force[:COMMANDS], *rest, look])


def _named(lacking: Sequence[Incomplete]) -> list[str]:
    more = len(lacking) - LOCATIONS
    lines = [f"{one.partition}: {one.in_words}" for one in lacking[:LOCATIONS]]
    return [*lines, *([f"and {more} partitions more"] if more > 0 else [])]


def about_scale(changed: ChangedScale, _new: Container[str] = ()) -> str:
    """The text about days on which a scale changed: what that means, and when the incident ends."""
    more = len(changed.sentences) - COMMANDS
    return "\n".join(
        [
            *changed.sentences[:COMMANDS],
            *([f"and {more} changes more, at other locations or on other days"] if more > 0 else []),
            "This ends by itself when the newest days follow one scale: in two weeks, or when the others have it too.",
        ]
    )


def about_unseen(why: str, remedy: str) -> str:
    """The text about something that cannot be observed."""
    return "\n".join(["Why:", *(f"  {line}" for line in _bounded(why).splitlines()), f"Go on: {remedy}"])


def unsendable(title: str) -> tuple[str, str]:
    """Title and text of the message that replaces one that a channel refuses."""
    cut = title if len(title) <= TITLE_LENGTH else f"{title[:TITLE_LENGTH]} …"
    return f"could not be sent: {cut}", "This channel refuses the message.\nLook: aqi watch --once"


def _bounded(text: str) -> str:
    left = len(text) - WHY_LENGTH
    return text if left <= 0 else f"{text[:WHY_LENGTH]} … ({left} characters more)"


def _look(link: str) -> Iterable[str]:
    return [f"Look: {link}"] if link else []


def day_and_time(instant: datetime) -> str:
    """``2025-08-20 06:00 UTC``, of an instant in UTC."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"

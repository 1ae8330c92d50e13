"""The storage of the model: tables as logs of commits, with their rows at every version.

Beside what the core records, it keeps a *shadow*: of every partition the code, the contract and the whole rows upstream
that it was made from. What follows from that, ``shadow`` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, nothing_flagged
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import Commit, FileSpan, TableState, fold
from tests.support.machine.deployed import BLOCK_HOURS, HOME, LAKE, Code, Content, Form, Made, Rows, digest_of, keys_of
from tests.support.machine.rows import shown

Cell = tuple[str, PartitionKey]
"""A partition of an asset."""

UNRECORDED = "unrecorded"
"""In the shadow: a partition that somebody else changed. One that was never made is None there."""


@dataclass(frozen=True)
class Sight:
    """In the shadow: what a reader saw of a partition, its rows and how many added columns it read of them.

    form: the contract of the rows; knew: see ``Making``.
    """

    rows: Rows
    extras: int
    form: Form
    knew: frozenset[str]

    def holds(self, asset: str, now: Sight) -> bool:
        """Whether a reader that saw this sees the same now.

        Of two contracts at once, whoever made the rows anew may not have known the one that they had: nobody can tell
        then that they are the same in its columns.
        """
        if shown(asset, self.rows, self.extras) != shown(asset, now.rows, self.extras):
            return False
        return not now.rows or self.form.extras == now.form.extras or digest_of(asset, self.form) in now.knew


Seen = Sight | None | str
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Making:
    """In the shadow: what one partition was made from.

    seen: per upstream partition that it depends on, its rows then. begun: of a fetched day, how many hours had begun.
    raw: what the provider had sent; degrees: where the location lay that was asked for; asked: when. knew: digests of
    the contracts that were known of the table.
    """

    rows: Rows
    code: Made
    form: Form
    seen: Mapping[Cell, Seen] = field(default_factory=dict)
    begun: int = 0
    raw: Rows = ()
    degrees: float = HOME
    asked: datetime = BEGINNING
    knew: frozenset[str] = frozenset()


Accepted = tuple[str | None, Made, Made]
"""In the shadow: what was accepted of an asset, at a town or everywhere."""


@dataclass(frozen=True)
class Version:
    """A table at one version: the commit that made it, its rows, and the shadow: makings and unrecorded partitions.

    touched: the partitions that the commit names, or that somebody else's commit may have changed. accepted: by this
    commit and those before.
    """

    commit: Commit
    rows: Content = field(default_factory=dict)
    makings: Mapping[PartitionKey, Making] = field(default_factory=dict)
    unrecorded: frozenset[PartitionKey] = frozenset()
    touched: frozenset[PartitionKey] = frozenset()
    accepted: frozenset[Accepted] = frozenset()

    def seen(self, key: PartitionKey, extras: int = 0) -> Seen:
        """What a reader sees that reads so many added columns, or as many as the rows have."""
        if key in self.unrecorded:
            return UNRECORDED
        if key not in self.makings:
            return None
        making = self.makings[key]
        return Sight(self.rows.get(key, ()), max(extras, making.form.extras), making.form, making.knew)


NO_TABLE = Version(Commit(-1, None))
Snapshot = Mapping[str, Version]


@dataclass(frozen=True)
class Proposal:
    """A commit of ours that is about to happen: what it replaces and says, and the state on which that was decided."""

    asset: str
    provenance: Provenance
    replaced: PartitionSet
    rows: Content
    makings: Mapping[PartitionKey, Making]
    base: TableState


class Storage:
    """Tables as logs of commits.

    locked: only one run at a time can be there, as on a local warehouse; then rows of new partitions are appended,
    which never conflicts. Otherwise a commit is refused if another one touched its partitions since it was decided.
    """

    def __init__(self, *, locked: bool) -> None:
        self.locked = locked
        self.tables: dict[str, list[Version]] = {key: [] for key in LAKE.keys}
        self._folded: dict[str, TableState] = {}

    def newest(self, asset: str) -> Version:
        return self.tables[asset][-1] if self.tables[asset] else NO_TABLE

    def snapshot(self, states: Mapping[str, TableState] | None = None) -> dict[str, Version]:
        """All tables as they are now, or as ``states`` have them."""
        if states is None:
            return {key: self.newest(key) for key in LAKE.keys}
        versions = {key: states[key].version if key in states else None for key in LAKE.keys}
        return {key: NO_TABLE if at is None else self.tables[key][at] for key, at in versions.items()}

    def state(self, asset: str, start: TableState | None = None) -> TableState:
        """The state of a table by the core, from its log; ``start``: an earlier state to go on from."""
        if start is None:
            start = self._folded.get(asset)
            self._folded[asset] = state = self.state(asset, start or TableState())
            return state
        after = 0 if start.version is None else start.version + 1
        return fold((version.commit for version in self.tables[asset][after:]), start)

    def states(self) -> dict[str, TableState]:
        return {key: self.state(key) for key in LAKE.keys if self.tables[key]}

    def create(self, asset: str) -> None:
        """A commit without data, unless the table is there."""
        if not self.tables[asset]:
            self.tables[asset].append(Version(Commit(0, None)))

    def commit(self, proposal: Proposal) -> bool:
        """Data and provenance in one commit; False where it is refused."""
        new = bool(proposal.replaced) and not proposal.replaced & proposal.base.present
        appends = self.locked and new
        if not appends and self._overtaken(proposal):
            return False
        self._land(proposal, appends=appends)
        return True

    def _overtaken(self, proposal: Proposal) -> bool:
        """Whether a commit that came after the proposal's base touched a partition that it replaces; where it replaces
        none, whether any came."""
        assert proposal.base.version is not None
        since = self.tables[proposal.asset][proposal.base.version + 1 :]
        if not proposal.replaced:
            return bool(since)
        return any(not version.touched.isdisjoint(proposal.replaced) for version in since)

    def _land(self, proposal: Proposal, *, appends: bool) -> None:
        before, said = self.newest(proposal.asset), proposal.provenance
        rows = dict(before.rows)
        for key in proposal.replaced:
            kept = rows.pop(key, ()) if appends else ()
            rows[key] = kept + proposal.rows.get(key, ())
        version = len(self.tables[proposal.asset])
        self.tables[proposal.asset].append(
            replace(
                before,
                commit=Commit(version, Provenance.from_json(said.to_json(), version)),
                rows={key: content for key, content in rows.items() if content},
                makings={**before.makings, **proposal.makings},
                unrecorded=before.unrecorded - said.records.keys(),
                touched=frozenset(said.records),
            )
        )

    def wipe(self, asset: str, partitions: PartitionSet) -> None:
        """Remove partitions as if they had never been made."""
        self.turn(asset, Provenance("wipe", asset, "", {}, partitions), {}, {})

    def turn(
        self,
        asset: str,
        said: Provenance,
        rows: Content,
        makings: Mapping[PartitionKey, Making],
        accepted: Iterable[Accepted] = (),
    ) -> None:
        """A commit of maintenance: what it wipes is gone, ``rows`` and ``makings`` are there in its place."""
        before, gone, version = self.newest(asset), frozenset(said.wiped), len(self.tables[asset])
        kept = {key: content for key, content in before.rows.items() if key not in gone}
        left = {key: making for key, making in before.makings.items() if key not in gone}
        self.tables[asset].append(
            Version(
                Commit(version, Provenance.from_json(said.to_json(), version)),
                kept | {key: content for key, content in rows.items() if content},
                {**left, **makings},
                before.unrecorded - gone - makings.keys(),
                gone | makings.keys(),
                before.accepted.union(accepted),
            )
        )

    def changed_by_others(self, asset: str, rows: Content, spans: Iterable[FileSpan]) -> None:
        """Somebody else's commit: ``rows`` in place of what was there, in files that can hold ``spans``."""
        before, spans = self.newest(asset), tuple(spans)
        touched = frozenset(key for key in keys_of(asset) if any(span.covers(key) for span in spans))
        self.tables[asset].append(
            replace(
                before,
                commit=Commit(len(self.tables[asset]), None, spans),
                rows={key: content for key, content in rows.items() if content},
                unrecorded=before.unrecorded | touched,
                touched=touched,
            )
        )

    def flags(self, asset: str, at: TableState, code: Code) -> FlaggedHours:
        """The flagged hours of a table at a version, read from its rows."""
        if at.version is None or not at.present:
            return nothing_flagged
        content = self.tables[asset][at.version].rows

        def flagged(town: str, day: date) -> int:
            mask = 0
            for row in content.get(PartitionKey(day, town), ()):
                if row[1] is not None and row[1] >= code.threshold(town):
                    mask |= 0b111111 << row[0] * BLOCK_HOURS
            return mask

        return flagged


def span_of(keys: Sequence[PartitionKey]) -> FileSpan:
    """The narrowest span that covers ``keys``."""
    days = [key.day for key in keys if key.day is not None]
    towns = [key.location for key in keys if key.location is not None]
    return FileSpan(min(days), max(days), min(towns), max(towns)) if days else FileSpan(has_null=True)

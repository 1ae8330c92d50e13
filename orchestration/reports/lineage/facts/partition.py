"""Facts about the origin of one partition for every format: its audit, and the files of the source's answers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.core.errors import UsageError, WarehouseError, in_a_line
from orchestration.core.lineage.audit import Audit, AuditHop, audited
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.source import Translating

if TYPE_CHECKING:
    from orchestration.core.source import Answer as Sent
    from orchestration.core.state.partition_record import Answer, Question
    from orchestration.engine.workspace import Workspace
    from resources.raw.files import RawFile

NULL = "null"
"""The RANGE that means the one partition of a table without partitions."""
RAW = "_aqi/raw"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The file of a kept answer."""

    path: str = ""
    """Its path in the warehouse's folder; empty where the file is gone."""
    digest: str = ""
    """SHA-256 of its body."""
    run_id: str = ""
    """The run that got the answer."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That a code version makes the rows of another one was accepted. run_id, at: of that run; empty where the table's
    log does not have it any more."""

    run_id: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit of one partition, with the files of the answers that its rows are from."""

    audit: Audit
    kept: Mapping[tuple[str, PartitionKey, str, str], KeptAnswer]
    """(asset, partition, moment of the request, digest) → the file of the answer."""
    notes: tuple[str, ...] = ()
    """Sentences about broken files."""
    domains: Mapping[str, str] = field(default_factory=dict)
    """Id of a question → the domain that the source was asked for. The record may have another word for it."""
    acceptances: Mapping[tuple[str, str], Acceptance] = field(default_factory=dict)
    """Asset, code version → its acceptance (`aqi accept`)."""

    def domain_of(self, question: Question) -> str:
        return self.domains.get(question.id, question.domain)

    def kept_as(self, asset: str, partition: PartitionKey, answer: Answer) -> KeptAnswer:
        return self.kept.get((asset, partition, answer.asked, answer.digest), KeptAnswer())


def read_audit(workspace: Workspace, keys: Sequence[str], days: str | None, locations: Sequence[str]) -> Audited:
    """The audit of the one partition that is named. days: a RANGE; ``null`` or None for an asset without partitions.

    Raises UsageError unless exactly one partition of one asset is named, and something is recorded of it.
    """
    if len(keys) != 1:
        raise UsageError(
            f"--partitions asks what one partition was made from, and {len(keys)} assets are selected",
            "Name one asset, for instance `aqi lineage gold.days --partitions 2025-08-08 --locations A`.",
        )
    asset = workspace.catalog[keys[0]]
    above = (*workspace.catalog.dag.upstream(asset.key), asset.key)
    tables = workspace.counted_states(above)
    partition = _the_one(workspace, asset.key, days, locations)
    audit = audited(workspace.catalog, asset.key, partition, tables, workspace.current())
    if not audit.hops:
        raise _nothing_recorded(workspace, asset.key, partition)
    looked = [_look(workspace, hop) for hop in audit.hops if hop.asset.source is not None]
    kept = {at: answer for found, _ in looked for at, answer in found.items()}
    questions = {id_: one for hop in audit.hops for id_, one in hop.questions.items()}
    questions |= {made.question.id: made.question for hop in audit.hops for made in hop.made if made.question}
    domains = {id_: _domain_of(workspace.sources.get(one.source), one) for id_, one in questions.items()}
    notes = tuple(note for _, notes in looked for note in notes)
    return Audited(audit, kept, notes, domains, _acceptances(workspace, audit))


def _acceptances(workspace: Workspace, audit: Audit) -> dict[tuple[str, str], Acceptance]:
    """The acceptances of the code versions of an audit."""
    from resources.delta.log import DeltaLog

    found = {}
    for hop in audit.hops:
        for made in hop.made:
            at = (hop.asset.key, made.record.code)
            if made.accepted and at not in found:
                found[at] = Acceptance()
                log = DeltaLog(workspace.warehouse.table_uri(hop.asset.key))
                with suppress(WarehouseError, OSError):  # the states of the tables tell of that
                    said = log.acceptance_of(made.record.code, made.record.version)
                    found[at] = Acceptance() if said is None else Acceptance(said.run_id, said.at)
    return found


def _domain_of(source: object, question: Question) -> str:
    return source.domain_of(question) if isinstance(source, Translating) else question.domain


def _nothing_recorded(workspace: Workspace, key: str, partition: PartitionKey) -> UsageError:
    """The error for a partition without a record, with the reason that `aqi status` gives; without one, ``never
    made``."""
    from orchestration.reports.status import read_status

    what, days, names, wanted = key, None, [], ""
    if partition.day is not None and partition.location is not None:
        what, days, names = f"{key} {partition}", str(partition.day), [partition.location]
        wanted = f" --partitions {days} --locations {partition.location}"
    reason = next((one.reason for one in read_status(workspace, [key], days, names)), "") or "never made"
    return UsageError(f"nothing is recorded of {what}: {reason}", f"aqi materialize '+{key}'{wanted}")


def _the_one(workspace: Workspace, key: str, days: str | None, locations: Sequence[str]) -> PartitionKey:
    asset = workspace.catalog[key]
    if asset.partitions is None:
        if days not in (None, NULL) or locations:
            raise UsageError(f"{key} has no partitions", f"Ask for the whole of it: --partitions {NULL}.")
        return NULL_KEY
    if days is None or days == NULL:
        raise UsageError(f"{key} has partitions: say which", "Add --partitions, for instance --partitions 2025-08-08.")
    table = workspace.states([key]).get(key)
    workspace.check_locations(locations, () if table is None else table.present.locations)
    names = locations or [one.key for one in workspace.settings.locations]
    asked = asset.asked_by(PartitionSet.of(workspace.days(days), names))
    if len(asked) != 1:
        raise UsageError(
            f"--partitions asks what one partition was made from, and these are {len(asked)} ({asked})",
            "Name one day and one location, for instance --partitions "
            f"{asked.days.first if asked else '2025-08-08'} --locations {asked.locations[0] if asked else names[0]}.",
        )
    return next(iter(asked))


def _look(
    workspace: Workspace, hop: AuditHop
) -> tuple[dict[tuple[str, PartitionKey, str, str], KeptAnswer], tuple[str, ...]]:
    """The files of the answers that rows of a fetched asset are from, and notes about broken files.

    An answer is found by the moment of its request. Of several answers with the same moment, the digest of the
    partition decides.
    """
    key = hop.asset.key
    wanted = PartitionSet.from_keys(made.partition for made in hop.made if made.answers)
    if not wanted:
        return {}, ()
    found = workspace.raw.look(key, wanted)
    by_moment: dict[str, list[RawFile]] = {}
    for file in found.files:
        by_moment.setdefault(file.asked, []).append(file)
    read: dict[str, Mapping[str, Sent]] = {}
    notes = [f"the raw answer {path} is broken" for path in found.broken]
    kept = {}
    for made in hop.made:
        for answer in made.answers:
            files = [file for file in by_moment.get(answer.asked, ()) if made.partition in file.partitions]
            if len(files) > 1:
                files = [file for file in files if _says(workspace, file, made.partition, answer.digest, read, notes)]
            if files:
                at = f"{RAW}/{files[0].path}"
                kept[(key, made.partition, answer.asked, answer.digest)] = KeptAnswer(
                    at, files[0].digest, files[0].run_id
                )
    return kept, tuple(notes)


def _says(
    workspace: Workspace,
    file: RawFile,
    partition: PartitionKey,
    digest: str,
    read: dict[str, Mapping[str, Sent]],
    notes: list[str],
) -> bool:
    """Whether a file has the answer with this digest of the partition. read: name of a file → its answers, filled
    here."""
    from orchestration.core.errors import SourceError
    from resources.raw.renames import under_names_of_today

    if file.name not in read:
        asset = workspace.catalog[file.asset]
        column = None if asset.partition_columns is None else asset.partition_columns.location
        try:
            raw = workspace.raw.read(file)
            sent = workspace.sources[file.source].read(raw.request, raw.body, file.asked_at)
            read[file.name] = {one.location: one for one in under_names_of_today(sent, file.names, column)}
        except (SourceError, WarehouseError) as error:
            notes.append(f"the answer asked at {file.asked} cannot be read: {in_a_line(error)}")
            read[file.name] = {}
    answer = read[file.name].get(partition.location or "")
    return answer is not None and partition.day is not None and answer.digests.get(partition.day, "") == digest

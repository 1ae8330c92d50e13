"""The audit of one partition as lines: a paragraph for each asset, the nearest first, with its partitions together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from orchestration.core.lineage.audit import AuditHop, Consulted, Made
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.freshness import State
from orchestration.core.state.partition_record import Answer, Question
from orchestration.reports.lineage.facts.partition import Acceptance, Audited, KeptAnswer
from orchestration.reports.lineage.words.ink import styled

SHOWN = 5
"""At most this many changes, or answers, are listed; of the others their number is given."""
HOURS = 24


def audit_in_words(found: Audited) -> str:
    """A paragraph for each asset: its partitions, how and from what they were made; of fetched assets also the
    answers."""
    paragraphs = ["\n".join(_hop(found, hop)) for hop in found.audit.hops]
    return "\n\n".join([*paragraphs, *(f"note: {note}" for note in found.notes)]) + "\n"


def _hop(found: Audited, hop: AuditHop) -> Iterator[str]:
    groups = _groups(hop.made)
    for number, (how, made) in enumerate(groups):
        if number:
            yield ""
        partitions = PartitionSet.from_keys(one.partition for one in made)
        style = "green" if how.state is State.FRESH else "yellow"
        name = hop.asset.key if partitions.has_null else f"{hop.asset.key} {partitions}"
        yield f"{styled(name, 'bold')}  {styled(how.state_in_words, style)}"
        rows = sum(one.record.rows for one in made)
        labelled = [("made", f"{how.at} by run {how.run_id}, version {how.version} of the table")]
        labelled.append(("rows", f"{rows:,}{_fingerprints([one.record.fingerprint for one in made])}"))
        accepted = found.acceptances.get((hop.asset.key, how.code))
        labelled.append(("code", f"{how.code}{_counts(how.code_counts, accepted)}; contract {how.contract}"))
        for of in dict.fromkeys(of for one in made for of in one.reads):
            labelled += [("from" if not at else "", line) for at, line in enumerate(_reads(of, made))]
        if hop.asset.source is not None:
            lines = _answers(found, hop, made)
            labelled += [("from" if not at else "", line) for at, line in enumerate(lines)]
        yield from (f"  {styled(f'{word:<5}', 'dim')} {line}" for word, line in labelled)
    if hop.absent:
        name = hop.asset.key if hop.absent.has_null else f"{hop.asset.key} {hop.absent}"
        yield f"{'' if not groups else chr(10)}{styled(name, 'bold')}  {styled('nothing is recorded of it', 'yellow')}"


class _How(NamedTuple):
    """What the partitions of one block of a paragraph have in common."""

    run_id: str
    at: str
    version: int
    code: str
    code_counts: bool | None
    contract: str
    state: State
    reason: str
    marks: tuple[str, ...]

    @property
    def state_in_words(self) -> str:
        why = "" if self.state is State.FRESH or not self.reason else f": {self.reason}"
        return "; ".join([f"{self.state}{why}", *self.marks])


def _groups(made: Iterable[Made]) -> list[tuple[_How, list[Made]]]:
    found: dict[_How, list[Made]] = {}
    for one in made:
        record, judged = one.record, one.judgement
        how = _How(
            record.run_id,
            record.at,
            record.version,
            record.code,
            one.code_counts,
            record.contract,
            judged.state,
            judged.in_short,
            judged.marks,
        )
        found.setdefault(how, []).append(one)
    return list(found.items())


def _counts(counts: bool | None, acceptance: Acceptance | None) -> str:
    if counts is None:
        return ""
    if acceptance is None or not counts:
        return " (as today's)" if counts else styled(" (not today's)", "yellow")
    by = f" {acceptance.at} by run {acceptance.run_id}" if acceptance.run_id else ""
    return f" (as today's: accepted{by})"


def _fingerprints(several: Sequence[str]) -> str:
    return f", fingerprint {several[0]}" if len(several) == 1 else f", {len(several)} fingerprints"


def _reads(of: str, made: Sequence[Made]) -> Iterator[str]:
    """``gold.hours 2025-08-08 × A: as it is still``; or what has changed since, by partition."""
    consulted = list(dict.fromkeys(one for each in made for one in each.reads.get(of, ())))
    partitions = PartitionSet.from_keys(one.partition for one in consulted)
    name = of if partitions.has_null else f"{of} {partitions}"
    changed = [one for one in consulted if not one.holds]
    absent = sum(one.was_absent for one in consulted)
    was = f" ({consulted[0].recorded})" if len(consulted) == 1 else ""
    without = f", {absent} of them absent" if absent and len(consulted) > 1 else ""
    if not changed:
        yield f"{name}: as it is still{was}{without}"
        return
    count = "it has" if len(consulted) == 1 else f"{len(changed)} of {len(consulted)} have"
    yield f"{name}: {styled(f'{count} changed since', 'yellow')}{without}"
    yield from (f"  {_changed(one)}" for one in changed[:SHOWN])
    if len(changed) > SHOWN:
        yield f"  … and {len(changed) - SHOWN} more"


def _changed(one: Consulted) -> str:
    return f"{one.partition}: was {one.recorded}, is {one.now}"


def _answers(found: Audited, hop: AuditHop, made: Sequence[Made]) -> Iterator[str]:
    """A line for each answer that owns hours, the earliest request first; an answer about several partitions comes
    once."""
    owners: dict[tuple[str, bool, KeptAnswer], list[tuple[Made, Answer]]] = {}
    for one in made:
        for answer in one.answers:
            kept = found.kept_as(hop.asset.key, one.partition, answer)
            owners.setdefault((answer.asked, answer.forced, kept), []).append((one, answer))
    if not owners:
        moments = sorted({one.record.as_of for one in made if one.record.as_of})
        last = f", asked at {moments[-1]}" if moments else ""
        yield f"{hop.asset.source}{last}: of no answer it is recorded that it owns rows"
    ordered = sorted(owners.items(), key=lambda item: item[0])
    for (asked, forced, kept), several in ordered[:SHOWN] if len(ordered) > SHOWN + 1 else ordered:
        yield (
            f"{hop.asset.source}, asked at {asked or 'a moment that is not recorded'}{', forced' if forced else ''}: "
            + (f"owns {_owned(several)}")
        )
        yield f"  {_lies(kept, asked)}"
        questions = dict.fromkeys(hop.question_of(one, answer) for one, answer in several)
        yield from (f"  asked for {_question(found, one)}" for one in questions if one is not None)
    if len(ordered) > SHOWN + 1:
        rest = ordered[SHOWN:]
        gone = sum(not kept.path for (_, _, kept), _ in rest)
        yield f"… and {len(rest)} more answers{f', {gone} of them gone' if gone else ''} (all of them: --format json)"
    turned = sum(one.hours.bit_count() for each in made for one in each.turned_away)
    if turned:
        yield f"later answers lacked what {turned} {'hour has' if turned == 1 else 'hours have'}: these were kept"


def _owned(several: Sequence[tuple[Made, Answer]]) -> str:
    hours = sum(one.record.rows if of.hours is None else of.hours.bit_count() for one, of in several)
    if len(several) > 1:
        return f"{hours:,} rows of {PartitionSet.from_keys(one.partition for one, _ in several)}"
    of = several[0][1]
    which = f" ({hours_in_words(of.hours)})" if of.hours is not None and of.hours.bit_count() < HOURS else ""
    return f"{hours} {'row' if hours == 1 else 'rows'}{which}, digest {of.digest}"


def hours_in_words(mask: int) -> str:
    """The hours of a mask: ``00–05, 08`` of 0b100111111."""
    hours = [hour for hour in range(mask.bit_length()) if mask >> hour & 1]
    pieces: list[list[int]] = []
    for hour in hours:
        if pieces and hour == pieces[-1][1] + 1:
            pieces[-1][1] = hour
        else:
            pieces.append([hour, hour])
    return ", ".join(f"{first:02}" if first == last else f"{first:02}–{last:02}" for first, last in pieces)


def _lies(kept: KeptAnswer, asked: str) -> str:
    if kept.path:
        return f"kept in {kept.path}, SHA-256 {kept.digest}"
    return styled("it is gone" if asked else "it was made before answers were kept", "yellow")


def _question(found: Audited, question: Question) -> str:
    at = "" if question.latitude is None else f" at {question.latitude}, {question.longitude}"
    return f"{len(question.variables)} variables{at}, {found.domain_of(question)}"

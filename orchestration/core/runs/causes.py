"""The causes of what went wrong in a run: each cause once, where it happened first, and what it led to.

One failing source, dying engine or full disk can be the reason of hundreds of problems. The JSON summary lists all of
them. People read one message for each cause, and numbers for the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestration.core.partitions.keys import PartitionSet

if TYPE_CHECKING:
    from orchestration.core.planning.plan import Plan
    from orchestration.core.runs.outcome import Problem, StepOutcome

FAILED, SKIPPED, LEFT_OUT = "failed", "skipped", "left out"
TABLES_NAMED = 12
"""At most this many tables are named beside a number."""
GROUPS_TOLD = 6
"""At most this many groups of equally failed partitions are shown."""
_VARYING = re.compile(
    r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?(\.\.[0-9-]+)?"  # days and months
    r"|[0-9]{4}(\.\.[0-9]{4})?(?= ×)"  # years
    r"|[0-9a-f]{8}-?[0-9a-f-]{23,}"  # names of files
    r"|(?<=asked )(once|[0-9]+ times)"  # a source
    r"|(?<=task )[0-9.]+|(?<=Task )[0-9.]+|(?<=stage )[0-9.]+|(?<=TID )[0-9]+"  # of Spark
)
_WORD = re.compile(r"(?<![\w-])[a-z0-9][a-z0-9_-]*(?![\w-])")
_SEVERAL = re.compile("§(, §)*")


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that went wrong."""

    what: str
    """``failed``, ``skipped`` or ``left out``."""
    asset: str
    """The first asset to which it happened."""
    partitions: PartitionSet
    """The partitions of that asset to which it happened."""
    message: str
    """The message of the first problem."""
    others: int = 0
    """How many more messages differ from it in nothing but days, locations or files."""
    alike: Counter[str] = field(default_factory=Counter)
    """Other asset → how many of its steps failed with the same words."""
    alike_at: dict[str, PartitionSet] = field(default_factory=dict)
    """Other asset → the partitions of those steps."""
    untried: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions, of any asset, that were not tried because of it."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Asset → how many of its steps were skipped because of it."""
    partly: bool = False
    """Whether some of the skipped steps made a part of their partitions."""

    @property
    def consequences(self) -> list[str]:
        """What the cause led to, one line each."""
        return [
            *([f"and {self.others} more like it"] if self.others else []),
            *self._alike(),
            *([f"not asked: {_days_of_locations(self.untried)}"] if self.untried else []),
            *([_skipped(self.skipped, self.partly, "it")] if self.skipped else []),
        ]

    def _alike(self) -> list[str]:
        """``2 steps failed alike (silver.clean 2): 2025-03..2025-04 × hue``: a line for each group of tables with the
        same partitions, and one line without partitions for all further tables."""
        together: dict[PartitionSet, Counter[str]] = {}
        for asset, count in self.alike.items():
            together.setdefault(self.alike_at[asset], Counter())[asset] = count
        null = PartitionSet.null()
        groups = [("" if at == null else f": {at}", count) for at, count in together.items()]
        if rest := groups[GROUPS_TOLD:]:
            groups = [*groups[:GROUPS_TOLD], ("", sum((count for _, count in rest), Counter[str]()))]
        return [f"{_steps(count)} {self.what} alike ({_named(count)}){at}" for at, count in groups]


@dataclass(frozen=True, slots=True)
class Causes:
    """Everything that went wrong in a run."""

    causes: tuple[Cause, ...]
    of_several: Counter[str] = field(default_factory=Counter)
    """Asset → how many of its steps were skipped because of more than one cause."""
    partly: bool = False
    """Whether some of those steps made a part of their partitions."""

    @property
    def at_last(self) -> list[str]:
        """The lines to be shown after the causes."""
        return [_skipped(self.of_several, self.partly, "several of these")] if self.of_several else []

    def foremost(self, most: int) -> tuple[list[Cause], int]:
        """At most ``most`` causes, the first cause of each asset before further ones; and how many causes are left."""
        seen: Counter[str] = Counter()
        turns = []
        for cause in self.causes:
            turns.append(seen[cause.asset])
            seen[cause.asset] += 1
        order = sorted(range(len(turns)), key=turns.__getitem__)
        return [self.causes[at] for at in order[:most]], max(0, len(turns) - most)


def causes_of(plan: Plan, outcomes: Iterable[StepOutcome]) -> Causes:
    """The causes of what failed, was skipped, or was left out because something is missing, in the order of the
    steps.
    """
    outcomes = tuple(outcomes)
    found = _Found(outcomes)
    own = [
        (outcome, problem)
        for outcome in outcomes
        for problem in outcome.problems
        if problem.partitions and not found.roots(outcome.step.id, problem)
    ]
    for outcome, problem in sorted(own, key=lambda one: bool(one[1].after)):  # what was not tried after its cause
        found.add(outcome, problem)
    for item in plan.left_out:
        if item.is_blocked and item.partitions:
            found.add_cause(LEFT_OUT, item.asset, item.partitions, item.reason, item.reason)
    return found.with_skipped()


class _Found:
    """Collects problems by kind. Problems are of one kind if their messages are equal but for the names in them
    (``shape``)."""

    def __init__(self, outcomes: Sequence[StepOutcome]) -> None:
        self._outcomes = outcomes
        self._of_asset: dict[str, list[StepOutcome]] = {}
        for outcome in outcomes:
            self._of_asset.setdefault(outcome.step.asset, []).append(outcome)
        self._causes: dict[tuple[str, str], Cause] = {}
        self._messages: dict[tuple[str, str], set[str]] = {}
        self._alike: dict[tuple[str, str], set[str]] = {}
        reasons = {problem.after for outcome in outcomes for problem in outcome.problems if problem.after}
        self._kind_of = {  # of the reasons that are told of themselves
            problem.message: shape(problem.message, outcome.step.asset, outcome.step.all_partitions.locations)
            for outcome in outcomes
            for problem in outcome.problems
            if problem.message in reasons and not problem.after
        }
        self._failed = {outcome.step.id: self._kinds(outcome) for outcome in outcomes}
        self._roots: dict[tuple[str, str, PartitionSet], frozenset[tuple[str, str]]] = {}

    def _kinds(self, outcome: StepOutcome) -> Mapping[tuple[str, str], PartitionSet]:
        """The kinds of failures of a step, with the partitions that failed."""
        names = frozenset(outcome.step.all_partitions.locations)
        kinds: dict[tuple[str, str], list[PartitionSet]] = {}
        for problem in outcome.problems:
            if problem.outcome == FAILED and problem.partitions:
                kind = (FAILED, self._kind(problem, outcome.step.asset, names))
                kinds.setdefault(kind, []).append(problem.partitions)
        return {kind: PartitionSet.union_of(of) for kind, of in kinds.items()}

    def _kind(self, problem: Problem, asset: str, names: frozenset[str]) -> str:
        """The kind of a problem. A problem that was not tried has the kind of the failure because of which it was not
        tried."""
        return self._kind_of.get(problem.after) or shape(problem.message, asset, names)

    def roots(self, step: str, problem: Problem) -> frozenset[tuple[str, str]]:
        """The kinds of upstream failures because of which ``problem`` was skipped; empty where it is no consequence of
        another."""
        if not problem.upstream:
            return frozenset()
        at = (step, problem.upstream, problem.partitions)
        if at not in self._roots:
            self._roots[at] = frozenset()  # no step is upstream of itself
            kinds = set[tuple[str, str]]()
            for outcome in self._of_asset.get(problem.upstream, ()):
                kinds |= {kind for kind, of in self._failed[outcome.step.id].items() if of & problem.because}
                for other in outcome.problems:
                    if other.outcome == SKIPPED and other.partitions & problem.because:
                        kinds |= self.roots(outcome.step.id, other)
            self._roots[at] = frozenset(kinds)
        return self._roots[at]

    def add(self, outcome: StepOutcome, problem: Problem) -> None:
        step, names = outcome.step, frozenset(outcome.step.all_partitions.locations)
        kind = self._kind(problem, step.asset, names)
        cause = self._causes.get((FAILED, kind))
        if problem.after in self._kind_of and cause is not None:
            self._causes[FAILED, kind] = replace(cause, untried=cause.untried | problem.partitions)
            return
        self.add_cause(str(problem.outcome), step.asset, problem.partitions, problem.message, kind, step.id)

    def add_cause(
        self, what: str, asset: str, partitions: PartitionSet, message: str, kind: str, step: str = ""
    ) -> None:
        at = (what, f"{asset} {kind}" if what == LEFT_OUT else kind)
        cause = self._causes.get(at)
        if cause is None:
            self._causes[at] = Cause(what, asset, partitions, message)
            self._messages[at], self._alike[at] = {message}, set()
        elif cause.asset != asset:
            cause.alike[asset] += step not in self._alike[at]
            cause.alike_at[asset] = cause.alike_at.get(asset, PartitionSet.empty()) | partitions
            self._alike[at].add(step)
        else:
            self._messages[at].add(message)
            others = len(self._messages[at]) - 1
            self._causes[at] = replace(cause, partitions=cause.partitions | partitions, others=others)

    def with_skipped(self) -> Causes:
        """All causes, with the skipped steps counted at their causes."""
        several, partly = Counter[str](), False
        for outcome in self._outcomes:
            kinds = frozenset[tuple[str, str]]().union(
                *(self.roots(outcome.step.id, problem) for problem in outcome.problems)
            )
            if not kinds:
                continue
            in_part = bool(outcome.succeeded)
            if len(kinds) > 1:
                several[outcome.step.asset] += 1
                partly |= in_part
            else:
                (kind,) = kinds
                cause = self._causes[kind]
                cause.skipped[outcome.step.asset] += 1
                self._causes[kind] = replace(cause, partly=cause.partly or in_part)
        return Causes(tuple(self._causes.values()), several, partly)


def _days_of_locations(partitions: PartitionSet) -> str:
    """``943 days of 3 locations``."""
    days, locations = len(partitions.days), len(partitions.locations)
    return f"{days} {'day' if days == 1 else 'days'} of {locations} {'location' if locations == 1 else 'locations'}"


def shape(message: str, asset: str, locations: Collection[str]) -> str:
    """A message without what differs between messages of one kind: days, locations, the table, names of files.

    ===============================================  ===================================
    HTTP 500; asked for hue, vinh on 2025-08-08      HTTP 500; asked for § on §
    HTTP 500; asked 5 times for hue on 2025-08-08    HTTP 500; asked § for § on §
    silver.clean: 3 rows of 2025-08-08 × hue         §: 3 rows of § × §
    No space left: /data/silver/clean/part-0c1f….    No space left: /data/§/part-§.
    ===============================================  ===================================

    Names are whole words: ``hue`` is not found in ``huesca``. asset: empty where the table matters.
    """
    if asset:
        layer, _, name = map(re.escape, asset.partition("."))
        message = re.sub(rf"(?<![\w-]){layer}[./]{name}(?![\w-])", "§", message)
    message = _VARYING.sub("§", message)
    message = _WORD.sub(lambda word: "§" if word[0] in locations else word[0], message)
    return _SEVERAL.sub("§", message)


def alike_once(messages: Iterable[str], asset: str, locations: Iterable[str]) -> list[str]:
    """The first message of each kind, with the number of further messages of its kind."""
    names, kinds = frozenset(locations), dict[str, list[str]]()
    for message in dict.fromkeys(messages):
        kinds.setdefault(shape(message, asset, names), []).append(message)
    return [
        first if not more else f"{first} (and {len(more)} more like it)" for first, *more in map(list, kinds.values())
    ]


def _skipped(steps: Counter[str], partly: bool, because: str) -> str:
    """``37 steps skipped because of it (gold.a 12, gold.b 12, gold.c 13)``."""
    return f"{_steps(steps)} skipped{', wholly or in part,' if partly else ''} because of {because} ({_named(steps)})"


def _steps(count: Counter[str]) -> str:
    return "1 step" if count.total() == 1 else f"{count.total()} steps"


def _named(count: Counter[str]) -> str:
    named = [f"{asset} {number}" for asset, number in list(count.items())[:TABLES_NAMED]]
    return ", ".join([*named, *(["…"] if len(count) > TABLES_NAMED else [])])

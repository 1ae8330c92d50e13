"""One failure is told once, with its consequences counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import pytest

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.planning.plan import Input, LeftOut, Obstacle, Plan, Step
from orchestration.core.runs.causes import GROUPS_TOLD, TABLES_NAMED, alike_once, causes_of, shape
from orchestration.core.runs.decisions import skipped
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome, in_words
from tests.support.small_assets import august, flags, hours, runs, step_of

FEED, CLEAN, NULL = "bronze.feed", "silver.clean", PartitionSet.null()
GOLD = [f"gold.{letter}" for letter in "abcdefgh"]
LOCATIONS = [f"p{number:03}" for number in range(50)]
MONTHS = [
    Days.of(date(2025, month, 1), date.fromordinal(date(2025 + month // 12, month % 12 + 1, 1).toordinal() - 1))
    for month in range(1, 13)
]
YEAR = PartitionSet.of(Days.union_of(MONTHS), LOCATIONS)
JVM = "Spark's driver JVM ended in mid-run: it ran out of memory."


def month(number: int, locations: Sequence[str] = LOCATIONS) -> PartitionSet:
    return PartitionSet.of(MONTHS[number - 1], locations)


def backfill(*, chunked: Iterable[str] = (FEED,)) -> Plan:
    """Twelve chunks of a fetched table, a table of it, and eight of that; each of ``chunked`` has a step per chunk."""
    chunked, steps, of = set(chunked), list[Step](), dict[str, list[str]]()
    for asset, upstream in [(FEED, ""), (CLEAN, FEED), *((gold, CLEAN) for gold in GOLD)]:
        parts = [(f"{asset}#{n}", month(n)) for n in range(1, 13)] if asset in chunked else [(asset, YEAR)]
        of[asset] = [name for name, _ in parts]
        for name, partitions in parts:
            inputs = tuple(Input(upstream, None, other, partitions) for other in of.get(upstream, ()))
            steps.append(Step(name, asset, partitions, PartitionSet.empty(), inputs, None, "12 missing"))
    return Plan(tuple(steps), ())


def ran(plan: Plan, failing: dict[str, Sequence[Problem]]) -> list[StepOutcome]:
    """What becomes of the plan where steps fail so, by id or asset, and what lies downstream of them is skipped."""
    outcomes = list[StepOutcome]()
    for step in plan.steps:
        problems = list(failing.get(step.id, failing.get(step.asset, ())))
        problems = [replace(one, partitions=own) for one in problems if (own := one.partitions & step.partitions)]
        for upstream in dict.fromkeys(item.asset for item in step.inputs):
            bad = PartitionSet.union_of(outcome.not_made for outcome in outcomes if outcome.step.asset == upstream)
            if bad & step.partitions:
                message = f"upstream {upstream} failed: {bad}"
                because = bad & step.partitions
                problems.append(Problem(Outcome.SKIPPED, because, message, upstream, because))
        left = step.partitions - PartitionSet.union_of(one.partitions for one in problems)
        outcomes.append(StepOutcome(step, written=left, problems=tuple(problems)))
    return outcomes


def failed(partitions: PartitionSet, message: str) -> Problem:
    return Problem(Outcome.FAILED, partitions, message)


EACH_1 = ", ".join(f"{gold} 1" for gold in GOLD)


def test_one_location_that_fails_in_every_chunk() -> None:
    plan = backfill()
    reasons = [failed(month(n, ["p007"]), f"api: HTTP 400; asked for p007 on {MONTHS[n - 1]}") for n in range(1, 13)]
    told = in_words(plan, ran(plan, {FEED: reasons})).splitlines()
    assert told == [
        "bronze.feed 2025 × p007 failed: api: HTTP 400; asked for p007 on 2025-01-01..2025-01-31",
        "  and 11 more like it",
        f"  9 steps skipped, wholly or in part, because of it (silver.clean 1, {EACH_1})",
    ]


def test_a_source_that_is_away() -> None:
    plan = backfill(chunked=[FEED, CLEAN, *GOLD])
    reasons = [failed(month(n), f"api does not answer; asked for 5 on {MONTHS[n - 1]}") for n in range(1, 13)]
    outcomes = ran(plan, {FEED: reasons})
    assert len([problem for outcome in outcomes for problem in outcome.problems]) == 120
    told = in_words(plan, outcomes).splitlines()
    each = ", ".join(f"{gold} 12" for gold in GOLD)
    assert told == [
        "bronze.feed 2025 × 50 locations: p000 … p049 failed: "
        "api does not answer; asked for 5 on 2025-01-01..2025-01-31",
        "  and 11 more like it",
        f"  108 steps skipped because of it (silver.clean 12, {each})",
    ]


def test_an_engine_that_dies_in_mid_run() -> None:
    """Steps fail by the same words, wherever they were; what was to be made of these is skipped."""
    plan = backfill(chunked=[FEED, CLEAN])
    dead = {f"{FEED}#{n}": [failed(month(n), JVM)] for n in range(5, 13)}
    dead |= {f"{CLEAN}#{n}": [failed(month(n), JVM)] for n in range(3, 5)}
    told = in_words(plan, ran(plan, dead)).splitlines()
    assert told == [
        f"bronze.feed 2025-05..2025-12 × 50 locations: p000 … p049 failed: {JVM}",
        "  2 steps failed alike (silver.clean 2): 2025-03..2025-04 × 50 locations: p000 … p049",
        f"  16 steps skipped, wholly or in part, because of it (silver.clean 8, {EACH_1})",
    ]


def test_a_table_that_cannot_be_written() -> None:
    plan = backfill()
    message = "Permission denied: /data/gold/b/part-00000-0c1f8a6e-2b5d-4d0e-9f5e-1c2d3e4f5a6b-c000.snappy.parquet"
    (cause,) = causes_of(plan, ran(plan, {"gold.b": [failed(YEAR, message)]})).causes
    assert (cause.asset, cause.partitions, cause.message, cause.consequences) == ("gold.b", YEAR, message, [])


def test_a_full_disk_is_one_cause() -> None:
    plan = backfill()
    full = {gold: [failed(YEAR, f"No space left on device: /data/{gold.replace('.', '/')}")] for gold in GOLD}
    told = in_words(plan, ran(plan, full)).splitlines()
    rest = ", ".join(f"{gold} 1" for gold in GOLD[1:])
    assert told == [
        "gold.a 2025 × 50 locations: p000 … p049 failed: No space left on device: /data/gold/a",
        f"  7 steps failed alike ({rest}): 2025 × 50 locations: p000 … p049",
    ]


def test_two_causes_and_what_both_of_them_left_no_way_to_make() -> None:
    plan = backfill()
    reasons = [failed(month(1, ["p001"]), "HTTP 400"), failed(month(2, ["p002"]), "HTTP 500")]
    outcomes = ran(plan, {FEED: reasons})
    told = in_words(plan, outcomes).splitlines()
    assert told == [
        "bronze.feed 2025-01 × p001 failed: HTTP 400",
        "bronze.feed 2025-02 × p002 failed: HTTP 500",
        f"9 steps skipped, wholly or in part, because of several of these (silver.clean 1, {EACH_1})",
    ]


def test_of_two_causes_each_has_what_lies_behind_its_own_partitions() -> None:
    plan = backfill(chunked=[FEED, CLEAN])
    reasons = [failed(month(1), "HTTP 400"), failed(month(2), "HTTP 500"), failed(month(3), "HTTP 500")]
    told = in_words(plan, ran(plan, {FEED: reasons})).splitlines()
    assert told == [
        "bronze.feed 2025-01 × 50 locations: p000 … p049 failed: HTTP 400",
        "  1 step skipped because of it (silver.clean 1)",
        "bronze.feed 2025-02..2025-03 × 50 locations: p000 … p049 failed: HTTP 500",
        "  2 steps skipped because of it (silver.clean 2)",
        f"8 steps skipped, wholly or in part, because of several of these ({EACH_1})",
    ]


def test_an_unpartitioned_table_downstream_counts_though_it_has_no_day() -> None:
    feed = Step(FEED, FEED, month(1), PartitionSet.empty(), (), None, "")
    towns = Step("gold.towns", "gold.towns", NULL, PartitionSet.empty(), (), None, "")
    outcomes = [
        StepOutcome(feed, problems=(failed(month(1), "HTTP 400"),)),
        StepOutcome(
            towns, problems=(Problem(Outcome.SKIPPED, NULL, "upstream bronze.feed failed: …", FEED, month(1)),)
        ),
    ]
    (cause,) = causes_of(Plan((feed, towns), ()), outcomes).causes
    assert cause.consequences == ["1 step skipped because of it (gold.towns 1)"]


def test_what_never_ran_is_no_consequence_and_told_once() -> None:
    plan = backfill(chunked=[FEED, CLEAN])
    outcomes = [
        StepOutcome(step, problems=(Problem(Outcome.SKIPPED, step.partitions, "the run ended before this step"),))
        for step in plan.steps
    ]
    assert in_words(plan, outcomes).splitlines() == [
        "bronze.feed 2025 × 50 locations: p000 … p049 skipped: the run ended before this step",
        f"  20 steps skipped alike (silver.clean 12, {EACH_1}): 2025 × 50 locations: p000 … p049",
    ]


def test_what_the_plan_lacks_is_told_for_every_table() -> None:
    left = [LeftOut(gold, YEAR, "it needs more", Obstacle.BLOCKED) for gold in GOLD[:2]]
    plan = Plan((), (*left, LeftOut(GOLD[2], YEAR, "later", Obstacle.FUTURE)))
    assert in_words(plan, ()).splitlines() == [
        f"{gold} 2025 × 50 locations: p000 … p049 left out: it needs more" for gold in GOLD[:2]
    ]


def test_of_many_tables_some_are_named() -> None:
    assets = [f"gold.t{number:02}" for number in range(30)]
    steps = [Step(asset, asset, NULL, PartitionSet.empty(), (), None, "") for asset in assets]
    outcomes = [StepOutcome(step, problems=(failed(NULL, JVM),)) for step in steps]
    (cause,) = causes_of(Plan(tuple(steps), ()), outcomes).causes
    (line,) = cause.consequences
    assert line.startswith("29 steps failed alike (gold.t01 1, ") and line.endswith(", …)")
    assert line.count("gold.") == TABLES_NAMED


def test_what_failed_alike_is_told_with_its_partitions() -> None:
    """Tables of the same partitions together; of many sets of them the first ones."""
    plan = backfill()
    failing = {gold: [failed(month(1 + n // 2, ["p000"]), JVM)] for n, gold in enumerate(GOLD)}
    (cause,) = causes_of(plan, ran(plan, failing)).causes
    assert cause.consequences == [
        "1 step failed alike (gold.b 1): 2025-01 × p000",
        "2 steps failed alike (gold.c 1, gold.d 1): 2025-02 × p000",
        "2 steps failed alike (gold.e 1, gold.f 1): 2025-03 × p000",
        "2 steps failed alike (gold.g 1, gold.h 1): 2025-04 × p000",
    ]
    failing = {gold: [failed(month(1 + n, ["p000"]), JVM)] for n, gold in enumerate(GOLD)}
    (cause,) = causes_of(plan, ran(plan, failing)).causes
    assert len(cause.consequences) == GROUPS_TOLD + 1
    assert cause.consequences[-2:] == [
        "1 step failed alike (gold.g 1): 2025-07 × p000",
        "1 step failed alike (gold.h 1)",
    ]


def test_a_cause_has_what_depends_on_it_and_not_what_is_of_other_locations() -> None:
    """A run that looks at the hour before its day is skipped for that day; on it, and elsewhere, others failed."""
    hour, run = step_of(hours, august(7, 9)), step_of(runs, august(8))
    elsewhere = step_of(hours, august(7, location="vinh"), name="gold.hours#vinh")
    plan = Plan((hour, elsewhere, run), ())
    outcomes = {
        hour.id: StepOutcome(hour, problems=(failed(august(7), "HTTP 400"), failed(august(9), "HTTP 404"))),
        elsewhere.id: StepOutcome(elsewhere, problems=(failed(elsewhere.partitions, "HTTP 500"),)),
    }
    outcomes[run.id] = StepOutcome(run, problems=skipped(run, runs, plan, outcomes, lambda _mapping: flags({})))
    found = causes_of(plan, outcomes.values())
    assert {cause.message: cause.consequences for cause in found.causes} == {
        "HTTP 400": ["1 step skipped because of it (gold.runs 1)"],
        "HTTP 404": [],
        "HTTP 500": [],
    }
    assert found.at_last == []


def test_a_day_that_fails_too_does_not_hide_the_one_before_it() -> None:
    hour, run = step_of(hours, august(7, 8)), step_of(runs, august(8))
    plan = Plan((hour, run), ())
    outcomes = {hour.id: StepOutcome(hour, problems=(failed(august(7), "HTTP 400"), failed(august(8), "HTTP 404")))}
    outcomes[run.id] = StepOutcome(run, problems=skipped(run, runs, plan, outcomes, lambda _mapping: flags({})))
    assert causes_of(plan, outcomes.values()).at_last == ["1 step skipped because of several of these (gold.runs 1)"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("HTTP 500; asked 4 times for hue, vinh on 2025-08-08", "HTTP 500; asked § for § on §"),
        ("HTTP 500; asked once for hue on 2025-08-08", "HTTP 500; asked § for § on §"),
        ("silver.clean: 3 rows of 2025-08-08..2025-08-10 × hue", "§: 3 rows of § × §"),
        ("upstream x failed: 2025 × 50 locations: hue … vinh", "upstream x failed: § × 50 locations: § … §"),
        ("No space left: /data/silver/clean/part-0c1f8a6e-2b5d-4d0e-9f5e-1c2d3e4f5a6b.parquet",
         "No space left: /data/§/part-§.parquet"),
        ("Lost task 0.0 in stage 57.0 (TID 83)", "Lost task § in stage § (TID §)"),
        ("the huest of all", "the huest of all"),
        ("Thue is not hue", "Thue is not §"),
        ("Đhue, hue-2 and _hue are not hue", "Đhue, hue-2 and _hue are not §"),
        ("silver.cleaner is not silver.clean", "silver.cleaner is not §"),
        ("/data/silver/clean_2 is not /data/silver/clean", "/data/silver/clean_2 is not /data/§"),
    ],
)  # fmt: skip
def test_the_shape_of_a_message(message: str, expected: str) -> None:
    assert shape(message, CLEAN, frozenset({"hue", "vinh"})) == expected


def test_messages_of_a_kind_are_one() -> None:
    said = ["HTTP 400 for hue", "HTTP 500 for hue", "HTTP 400 for vinh", "HTTP 400 for hanoi"]
    assert alike_once(said, FEED, ["hue", "vinh"]) == [
        "HTTP 400 for hue (and 1 more like it)", "HTTP 500 for hue", "HTTP 400 for hanoi"
    ]  # fmt: skip


# --- what was not asked any more -----------------------------------------------------------------------------------


def limited(partitions: PartitionSet, on: Days) -> str:
    return f"api: limit used up; asked for {', '.join(partitions.locations)} on {on}. Tomorrow."


def not_asked(after: str, partitions: PartitionSet) -> Problem:
    return Problem(Outcome.FAILED, partitions, f"not asked: {after}", after=after)


def test_what_was_not_asked_is_told_with_the_reason_and_counted() -> None:
    plan = backfill()
    why = limited(month(2), MONTHS[1])
    reasons = {f"{FEED}#{n}": [not_asked(why, month(n))] for n in range(1, 13)} | {f"{FEED}#2": [failed(month(2), why)]}
    told = in_words(plan, ran(plan, reasons)).splitlines()
    assert told == [
        f"bronze.feed {month(2)} failed: {why}",
        "  not asked: 337 days of 50 locations",
        f"  9 steps skipped because of it (silver.clean 1, {EACH_1})",
    ]


def test_the_reason_may_name_locations_that_the_others_have_not() -> None:
    plan, why = backfill(), limited(month(1, LOCATIONS[:3]), MONTHS[0])
    left = PartitionSet.of(MONTHS[1], LOCATIONS[3:4])
    outcomes = [
        StepOutcome(plan.steps[0], problems=(failed(month(1, LOCATIONS[:3]), why),)),
        StepOutcome(replace(plan.steps[1], partitions=left), problems=(not_asked(why, left),)),
    ]
    (cause,) = causes_of(plan, outcomes).causes
    assert (cause.partitions, cause.untried) == (month(1, LOCATIONS[:3]), left)
    assert cause.consequences == ["not asked: 28 days of 1 location"]


def test_where_the_reason_is_not_of_the_run_itself_it_is_told_once() -> None:
    plan, why = backfill(), limited(month(1), MONTHS[0])
    told = in_words(plan, ran(plan, {f"{FEED}#{n}": [not_asked(why, month(n))] for n in range(1, 13)})).splitlines()
    assert told[0] == f"bronze.feed {YEAR} failed: not asked: {why}"
    assert len(told) == 2


def test_other_failures_beside_it_are_told_as_ever() -> None:
    plan, why = backfill(), limited(month(2), MONTHS[1])
    reasons = {f"{FEED}#1": [failed(month(1, ["p007"]), "api: no data for p007")], f"{FEED}#2": [failed(month(2), why)]}
    reasons |= {f"{FEED}#{n}": [not_asked(why, month(n))] for n in range(3, 13)}
    told = in_words(plan, ran(plan, reasons)).splitlines()
    assert told[0] == f"bronze.feed {month(1, ['p007'])} failed: api: no data for p007"
    assert told[1] == f"bronze.feed {month(2)} failed: {why}"
    assert told[2] == "  not asked: 306 days of 50 locations"
    assert told[3].startswith("9 steps skipped, wholly or in part, because of several of these")

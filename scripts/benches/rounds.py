"""Runs the sides of a bench in turn (A B A B …), and makes figures of that.

A side that fails is reported as failed, has no figure, and no ratio that needs it has a value.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benches.declared import LONGEST_SECONDS, Bench, Ratio, Side
from scripts.benches.processes import Failed, Sample, run

Told = Callable[[str], None]


def measure(bench: Bench, rounds: int, logs: Path, folder: Path, told: Told, *, warm_up: bool = True) -> dict[str, Any]:
    """The figures of a bench as JSON; ``rounds`` count, and with ``warm_up`` one goes ahead of them that does not.

    logs: where the output of every command is kept. folder: the working directory of the commands.
    """
    samples: dict[str, list[Sample]] = {side.name: [] for side in bench.sides}
    failed: dict[str, str] = {}
    began, load = datetime.now(UTC), os.getloadavg()
    for number in range(0 if warm_up else 1, rounds + 1):
        for side in bench.sides:
            if side.name in failed:
                continue
            try:
                sample = _once(side, logs / f"{bench.name}-{side.name}-{number}", folder)
            except Failed as error:
                failed[side.name] = str(error)
                told(f"{bench.name}: {side.name} failed: {error}")
                continue
            if number:
                samples[side.name].append(sample)
            told(f"{bench.name}: {side.name} {sample.seconds:.2f} s{'' if number else ' (warm-up)'}")
    return {
        "name": bench.name,
        "title": bench.title,
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": {"start": [round(one, 2) for one in load], "end": [round(one, 2) for one in os.getloadavg()]},
        "rounds": rounds,
        "warm_up": warm_up,
        "notes": list(bench.notes),
        "skipped": None,
        "failed": None,
        "sides": [_figures(side, samples[side.name], failed.get(side.name)) for side in bench.sides],
        "ratios": [_ratio(ratio, bench, samples, failed) for ratio in bench.ratios],
    }


def not_made(name: str, title: str, *, skipped: str | None = None, failed: str | None = None) -> dict[str, Any]:
    """In place of figures: why a bench cannot be made here, or what went wrong before its first round."""
    why = {"skipped": skipped, "failed": failed}
    return {"name": name, "title": title, "notes": [], **why, "sides": [], "ratios": []}


def _once(side: Side, logs: Path, folder: Path) -> Sample:
    side.before()
    together = Sample()
    for number, command in enumerate(side.commands):
        log = logs.with_name(f"{logs.name}-{number}.log" if len(side.commands) > 1 else f"{logs.name}.log")
        together.add(run(command, side.environment, log, LONGEST_SECONDS, folder))
    return together


def _figures(side: Side, samples: list[Sample], failed: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": side.name,
        "says": side.says,
        "rows": side.rows,
        "failed": failed,
        "limits_mib": dict(side.limits_mib),
    }
    if failed is not None or not samples:
        return said
    seconds = [one.seconds for one in samples]
    median = statistics.median(seconds)
    kinds = sorted({kind for one in samples for kind in one.peak_mib})
    return said | {
        "seconds": seconds,
        "median_seconds": median,
        "cpu_seconds": statistics.median(one.cpu_seconds for one in samples),
        "rows_per_second": side.rows / median if side.rows else None,
        "peak_mib": {kind: max(one.peak_mib.get(kind, 0.0) for one in samples) for kind in kinds},
        "details": _details(samples),
    }


def _details(samples: list[Sample]) -> dict[str, Any]:
    """Medians of what the commands said in numbers, and the last of what they said otherwise."""
    made: dict[str, Any] = {}
    for name, last in samples[-1].details.items():
        numbers = [one.details[name] for one in samples if isinstance(one.details.get(name), int | float)]
        made[name] = statistics.median(numbers) if numbers else last
    return made


def _ratio(ratio: Ratio, bench: Bench, samples: dict[str, list[Sample]], failed: dict[str, str]) -> dict[str, Any]:
    rows = {side.name: (side.rows if ratio.per_row else 1) or 1 for side in bench.sides}
    said: dict[str, Any] = {
        "of": ratio.of,
        "to": ratio.to,
        "limit": ratio.limit,
        "goal": ratio.goal,
        "per_row": ratio.per_row,
    }
    if failed.keys() & {ratio.of, ratio.to}:
        return said | {"value": None, "each": []}
    of, to = ([one.seconds / rows[name] for one in samples[name]] for name in (ratio.of, ratio.to))
    each = [a / b for a, b in zip(of, to, strict=True)]
    return said | {"value": statistics.median(of) / statistics.median(to), "each": each}

"""The profile of a run for people: tables on a terminal, JSON, a picture, a page.

``core.runs.profile`` defines the numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from html import escape as in_html
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from orchestration.core.errors import MachineError, RunError, UsageError
from orchestration.core.runs.journal import RunEntry
from orchestration.core.runs.profile import OF_STEP, Phase, Profile, StepTimes, by_asset
from orchestration.engine.workspace import Workspace
from orchestration.reports.fitting import Column, Kind, print_table
from orchestration.reports.json_text import to_json
from orchestration.reports.output import check_output, write_output
from orchestration.reports.run_picture import in_svg
from resources.storage.journal import Journal
from resources.storage.run_profiles import RunProfiles

STEPS_SHOWN = 40
"""Up to this many steps are shown one by one; beyond that, the steps of each asset together."""
LINKS_SHOWN = 12
WORDS = {
    Phase.LOOK: "look (sources are asked)",
    Phase.SESSION: "session start",
    Phase.SERVER: "Prefect's server",
    Phase.PREFECT: "Prefect's flow",
    Phase.HISTORY: "Prefect's history",
}
LAST = "last"
"""The name for the newest run that has a profile."""


def last_runs(workspace: Workspace, limit: int) -> list[tuple[RunEntry, bool]]:
    """The last runs, newest first, and whether each has a profile."""
    measured = set(known_profiles(workspace))
    return [(entry, entry.run_id in measured) for entry in Journal(workspace.warehouse.uri).entries(limit)]


def known_profiles(workspace: Workspace) -> list[str]:
    """The runs that have a profile, oldest first. Raises MachineError where the warehouse cannot be read."""
    try:
        return RunProfiles(workspace.warehouse.uri).run_ids()
    except NotADirectoryError:  # `aqi doctor` reports it
        return []
    except OSError as error:
        raise MachineError(
            f"the warehouse {workspace.warehouse.uri} cannot be read ({error})",
            "Check AQI_WAREHOUSE__URI and that this user may read it.",
        ) from error


def run_as_json(entry: RunEntry, measured: bool) -> dict[str, Any]:
    """A run in a list of runs. measured: whether it has a profile."""
    names = ("run_id", "started_at", "ended_at", "seconds", "title", "flow_run_id")
    said = {name: getattr(entry, name) for name in names}
    return said | {"seconds": round(entry.seconds, 3), "state": str(entry.state), "profile": measured}


def print_runs(console: Console, runs: Sequence[tuple[RunEntry, bool]]) -> None:
    """Print runs as a table, newest first."""
    columns = [Column("run", Kind.KEY), Column("started", Kind.KEY), Column("state", Kind.KEY)]
    columns += [Column("seconds", Kind.NUMBER), Column("what")]
    rows = []
    for entry, _ in runs:
        seconds = f"{entry.seconds:.1f}" if entry.ended_at else ""
        rows.append((entry.run_id, entry.started_at, str(entry.state), seconds, entry.title))
    if not rows:
        console.print("No run is known.")
        return
    print_table(console, columns, rows)
    console.print("aqi runs RUN tells what became of one (a beginning of its id will do, or last).", highlight=False)


def read_profile(workspace: Workspace, name: str) -> Profile:
    """The profile of a run that is named by its id, the beginning of it, or ``last``. Raises UsageError."""
    profiles = RunProfiles(workspace.warehouse.uri)
    known = known_profiles(workspace)
    found = known[-1:] if name == LAST else [name] if name in known else [id for id in known if id.startswith(name)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs begin with {name!r}", f"Name one of them: {', '.join(found[-3:])}.")
    if not found:
        near = get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "`aqi runs` lists those that have one."
        raise UsageError(f"no run {name!r} has a profile", remedy)
    try:
        return profiles.read(found[0])
    except (OSError, ValueError) as error:
        raise UsageError(f"the profile of {found[0]} cannot be read ({error})", "Name another run.") from error


def print_profile(console: Console, profile: Profile) -> None:
    """Print the phases of the run, those of each step, and the critical path."""
    console.print(f"Where the time of run {profile.run_id} went, in seconds:", highlight=False)
    _print_phases(console, profile)
    if beside := profile.beside:
        sums = ", ".join(f"{_word(phase)} {seconds:.2f}" for phase, seconds in beside.items())
        console.print(f"beside these: {sums}", highlight=False)
    times = profile.step_times
    if times:
        console.print()
        _print_steps(console, times)
    if path := profile.critical_path:
        console.print()
        whole = path[-1].end - path[0].begin
        console.print(f"What the last step waited for, {whole:.2f} in all:", highlight=False)
        for link in path[-LINKS_SHOWN:]:
            what = "fetch " if link.phase is Phase.FETCH else ""
            text = f"  {link.begin:8.2f} … {link.end:8.2f}  {link.end - link.begin:7.2f}  {what}{escape(link.step)}"
            console.print(text, highlight=False, soft_wrap=True)


def as_text(profile: Profile, *, width: int = 160) -> str:
    """What ``print_profile`` prints, without colours."""
    out = io.StringIO()
    print_profile(Console(file=out, width=width, color_system=None), profile)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def as_page(profile: Profile) -> str:
    """A self-contained page: the picture, and the tables below it."""
    title = in_html(f"Run {profile.run_id}")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<style>\n:root { color-scheme: light dark }\nbody { margin: 0 }\n"
        "pre { margin: 12px; overflow-x: auto; font: 13px/1.4 ui-monospace, monospace }\n</style>\n</head>\n<body>\n"
        f"{in_svg(profile)}<pre>{in_html(as_text(profile))}</pre>\n</body>\n</html>\n"
    )


FORMS: Mapping[str, Callable[[Profile], str]] = {
    ".json": lambda profile: f"{to_json(profile.to_json())}\n",
    ".svg": in_svg,
    ".html": as_page,
    ".txt": as_text,
}
"""Suffix of a file → its content."""


def check_profile_output(output: Path) -> None:
    """A check before any work. Raises UsageError where a profile cannot be written to a file of this name."""
    if output.suffix not in FORMS:
        raise UsageError(
            f"{output}: a profile is written as {', '.join(FORMS)} (got {output.suffix!r})",
            f"Name such a file, for instance {output.stem or 'run'}.svg.",
        )
    check_output(output)


def write_profile(profile: Profile, output: Path) -> None:
    """Write a profile in the form of the file's suffix. Raises RunError, not UsageError: the run is done by now."""
    try:
        write_output(str(output), FORMS[output.suffix](profile))
    except OSError as error:
        raise RunError(
            f"{output} cannot be written ({error.strerror})",
            f"The run is done, and its profile kept: aqi runs {profile.run_id} -o FILE.",
        ) from error


def _print_phases(console: Console, profile: Profile) -> None:
    rows = [(_word(phase), f"{of:.2f}", _share(of, profile.seconds)) for phase, of in profile.phases.items()]
    rows.append(("total", f"{profile.seconds:.2f}", _share(profile.seconds, profile.seconds)))
    columns = [Column("phase", Kind.KEY), Column("seconds", Kind.NUMBER), Column("share", Kind.NUMBER)]
    print_table(console, columns, rows)


def _print_steps(console: Console, times: tuple[StepTimes, ...]) -> None:
    rows = [(1, of) for of in times] if len(times) <= STEPS_SHOWN else by_asset(times)
    together = len(rows) < len(times)
    shown = [phase for phase in OF_STEP if phase is Phase.OTHER or any(of.phases.get(phase, 0) for _, of in rows)]
    columns = [Column("asset" if together else "step", Kind.KEY)]
    names = (*(["steps"] if together else []), "seconds", *map(str, shown), "fetching")
    columns += [Column(name, Kind.NUMBER) for name in names]
    table = []
    for count, of in rows:
        cells = [f"{of.phases.get(phase, 0):.2f}" for phase in shown]
        fetching = f"{of.fetching:.2f}" if of.fetching else ""
        table.append([of.step.id, *([str(count)] if together else []), f"{of.seconds:.2f}", *cells, fetching])
    sums = [f"{sum(of.phases.get(phase, 0) for of in times):.2f}" for phase in shown]
    whole = f"{sum(of.seconds for of in times):.2f}"
    table.append(["all, one beside another", *([str(len(times))] if together else []), whole, *sums, ""])
    print_table(console, columns, table)


def _word(phase: Phase) -> str:
    return WORDS.get(phase, str(phase))


def _share(seconds: float, whole: float) -> str:
    return f"{seconds / whole:.0%}" if whole else ""

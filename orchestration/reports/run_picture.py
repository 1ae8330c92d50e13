"""The profile of a run as a picture: a self-contained SVG with a lane for the run and for each step.

Times are in percent of the width and texts in pixels, so that the picture can be read on narrow and wide screens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from orchestration.core.runs.profile import MAIN, Phase, Profile, Span

LANES_OF_STEPS = 40
"""Up to this many steps have a lane each; more share lanes."""
SHORTEST = 1 / 2000
"""Bars shorter than this share of the whole are invisible, and left out."""
SHOWN = 0.005
"""Phases with fewer seconds are left out."""
TICKS = 5
LEFT, RIGHT = 1.5, 98.5
TOP, LEGEND_ROW, LANE, BAR = 58, 18, 34, 14
COLORS = {
    Phase.PLAN: "#5b8ff9",
    Phase.LOOK: "#36a2b4",
    Phase.LOCK: "#c44e52",
    Phase.TABLES: "#8d6e63",
    Phase.SERVER: "#7e57c2",
    Phase.PREFECT: "#b07cc6",
    Phase.HISTORY: "#d1a3e0",
    Phase.STEPS: "#9fb7a4",
    Phase.STOP: "#a1887f",
    Phase.END: "#6b7a8f",
    Phase.SESSION: "#e6a23c",
    Phase.FETCH: "#17a2a8",
    Phase.WAIT: "#d9a5b3",
    Phase.READ: "#4c9be8",
    Phase.COMPUTE: "#3a9d5d",
    Phase.AGGREGATE: "#8bc34a",
    Phase.CHECK: "#d4c02a",
    Phase.COMMIT: "#e2703a",
    Phase.OTHER: "#9e9e9e",
    Phase.STEP: "#9e9e9e",
}
STYLE = """\
.ground { fill: #ffffff } .text { fill: #1d2733; font: 12px system-ui, sans-serif } .dim { fill: #5c6875 }
.head { font-weight: 600; font-size: 15px } .line { stroke: #d6dbe1; stroke-width: 1 } .track { fill: #eef1f4 }
@media (prefers-color-scheme: dark) {
.ground { fill: #14181d } .text { fill: #e4e9ee } .dim { fill: #9aa7b4 } .line { stroke: #333c46 }
.track { fill: #20262d } }"""


@dataclass(frozen=True)
class Lane:
    """A line of bars. Later bars are drawn over earlier ones."""

    title: str
    seconds: float
    spans: tuple[Span, ...]


def in_svg(profile: Profile) -> str:
    """The picture: total, legend, an axis of seconds, and the lanes."""
    found, legend = lanes(profile), _legend(profile)
    axis = TOP + LEGEND_ROW * ((len(legend) + 1) // 2) + 24
    height = axis + LANE * len(found) + 16
    title = f"Run {profile.run_id}: {profile.seconds:.2f} s"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="ground" width="100%" height="{height}"/>',
        _text(LEFT, 24, title, "text head"),
        _text(LEFT, 42, f"{profile.title} · {profile.started_at}", "text dim"),
        *_drawn_legend(legend),
        *_axis(profile.seconds, axis, height),
    ]
    for number, lane in enumerate(found):
        parts += _drawn(lane, profile.seconds, axis + LANE * number + 16)
    return "\n".join([*parts, "</svg>\n"])


def lanes(profile: Profile) -> list[Lane]:
    """The lanes: the run, work beside it in other threads, and the steps in the order in which they were ready."""
    spans = profile.spans
    found = [_lane("run", profile.seconds, [span for span in spans if span.thread == MAIN and not span.step])]
    found += _packed("session start", [[span] for span in spans if _is_beside(span, Phase.SESSION)])
    found += _packed("fetch", [[span] for span in spans if span.phase is Phase.FETCH])
    of_step: dict[str, list[Span]] = {of.step.id: [] for of in sorted(profile.step_times, key=lambda of: of.ready)}
    for span in [*profile.waits, *spans]:
        if span.step in of_step and span.phase is not Phase.FETCH:
            of_step[span.step].append(span)
    if len(of_step) <= LANES_OF_STEPS:
        took = {of.step.id: of.seconds for of in profile.step_times}
        found += [_lane(step, took[step], mine) for step, mine in of_step.items()]
    else:
        found += _packed("steps", list(of_step.values()))
    shortest = profile.seconds * SHORTEST
    return [
        Lane(lane.title, lane.seconds, tuple(span for span in lane.spans if span.seconds >= shortest)) for lane in found
    ]


def _is_beside(span: Span, phase: Phase) -> bool:
    return span.phase is phase and not span.step and span.thread != MAIN


def _packed(title: str, groups: Iterable[Sequence[Span]]) -> list[Lane]:
    """Groups of spans, each in the first lane that has room for it."""
    lanes: list[tuple[float, list[Sequence[Span]]]] = []
    for group in sorted(groups, key=lambda group: min(span.begin for span in group)):
        begin, end = min(span.begin for span in group), max(span.end for span in group)
        free = next((number for number, (until, _) in enumerate(lanes) if until <= begin), None)
        if free is None:
            lanes.append((end, [group]))
        else:
            lanes[free][1].append(group)
            lanes[free] = (end, lanes[free][1])
    return [
        _lane(title, sum(_length(group) for group in of), [span for group in of for span in group]) for _, of in lanes
    ]


def _length(group: Sequence[Span]) -> float:
    return max(span.end for span in group) - min(span.begin for span in group)


def _lane(title: str, seconds: float, spans: Iterable[Span]) -> Lane:
    return Lane(title, seconds, tuple(sorted(spans, key=lambda span: (span.begin, -span.end))))


def _legend(profile: Profile) -> list[tuple[Phase, str]]:
    """The used colours, each with its seconds in the run, or beside the run, and in all steps."""
    of_steps: dict[Phase, float] = {}
    for of in profile.step_times:
        for phase, seconds in of.phases.items():
            of_steps[phase] = of_steps.get(phase, 0) + seconds
    of_run = {**profile.phases, **profile.beside}
    found: list[tuple[Phase, str]] = []
    for phase in COLORS:
        parts = [f"{of_run[phase]:.2f} s"] if of_run.get(phase, 0) >= SHOWN else []
        parts += [f"{of_steps[phase]:.2f} s in steps"] if of_steps.get(phase, 0) >= SHOWN else []
        if parts:
            found.append((phase, f"{phase} {', '.join(parts)}"))
    return found


def _drawn_legend(legend: Sequence[tuple[Phase, str]]) -> list[str]:
    parts = []
    rows = (len(legend) + 1) // 2
    for number, (phase, text) in enumerate(legend):
        left, y = LEFT + 50 * (number // rows), TOP + LEGEND_ROW * (number % rows)
        parts.append(f'<svg x="{left}%" y="{y}" width="50%" height="{LEGEND_ROW}">')
        parts.append(f'<rect y="2" width="10" height="10" rx="2" fill="{COLORS[phase]}"/>')
        parts.append(f'<text class="text" x="16" y="11">{escape(text)}</text></svg>')
    return parts


def _axis(seconds: float, top: int, height: int) -> list[str]:
    parts, step = [], _tick(seconds)
    for number in range(int(seconds / step) + 1 if step else 1):
        at = number * step
        x = _x(at, seconds)
        end = "start" if not number else "end" if x > 94 else "middle"
        parts.append(f'<line class="line" x1="{x:.3f}%" x2="{x:.3f}%" y1="{top}" y2="{height - 8}"/>')
        parts.append(_text(x, top - 6, f"{at:g} s", "text dim", end))
    return parts


def _tick(seconds: float) -> float:
    """A round number of seconds between two ticks, for about five ticks."""
    size = 0.001
    while size and seconds / size > TICKS:
        for factor in (1, 2, 5):
            if seconds / (size * factor) <= TICKS:
                return size * factor
        size *= 10
    return size if seconds > 0 else 0.0


def _drawn(lane: Lane, whole: float, y: int) -> list[str]:
    track = f'<rect class="track" x="{LEFT}%" y="{y}" width="{RIGHT - LEFT}%" height="{BAR}"/>'
    parts = [_text(LEFT, y - 4, f"{lane.title} · {lane.seconds:.2f} s"), track]
    for span in lane.spans:
        x = _x(span.begin, whole)
        width = max(_x(span.end, whole) - x, 0.1)
        title = f"{span.phase} {span.seconds:.3f} s ({span.begin:.2f} … {span.end:.2f}) {span.step}".strip()
        parts.append(
            f'<rect x="{x:.3f}%" y="{y}" width="{width:.3f}%" height="{BAR}" fill="{COLORS[span.phase]}">'
            f"<title>{escape(title)}</title></rect>"
        )
    return parts


def _x(at: float, whole: float) -> float:
    """The position of an instant, in percent of the width."""
    return LEFT + (RIGHT - LEFT) * (at / whole if whole else 0.0)


def _text(x: float, y: int, text: str, kind: str = "text", end: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.3f}%" y="{y}" text-anchor="{end}">{escape(text)}</text>'

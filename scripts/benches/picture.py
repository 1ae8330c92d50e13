"""The figures as a picture: an SVG that needs nothing else. A bar is the median of a side, its line all rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

Figures = Mapping[str, Any]
WIDTH, LABELS, BARS = 760, 190, 400
ROW, GAP = 20, 16
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .title { font-weight: 600 }
.small { font-size: 12px; fill: #57606a }
.sheet { fill: #ffffff } .bar { fill: #4c8eda } .other { fill: #b6c2cf } .range { stroke: #1b1f24; stroke-width: 1.5 }
.over { fill: #b42318; font-size: 12px; font-weight: 600 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9da7b1 } .sheet { fill: #0d1117 }
.bar { fill: #4c8eda } .other { fill: #49535e } .range { stroke: #e6edf3 } .over { fill: #ff9a8f } }
""".strip()


def picture(benches: Sequence[Figures], caption: str) -> str:
    """The text of the SVG. caption: one line below the title."""
    lines, y = [_text(0, 18, "Seconds of whole processes, medians", "title"), _text(0, 36, caption, "small")], 48
    for bench in benches:
        block, height = _bench(bench, y + GAP)
        lines += block
        y += height + GAP
    height = y + GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -6 {WIDTH + 24} {height}" role="img" '
            f'aria-label="Seconds of whole processes">',
            f"<style>{STYLE}</style>",
            f'<rect class="sheet" x="-12" y="-6" width="{WIDTH + 24}" height="{height}"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def _bench(bench: Figures, top: int) -> tuple[list[str], int]:
    """The lines of a bench, and their height."""
    lines, y = [_text(0, top + 14, bench["title"], "title")], top + ROW
    if why := bench["failed"] or bench["skipped"]:
        word = "failed" if bench["failed"] else "left out"
        return [*lines, _text(0, y + 14, _short(f"{word}: {why}"), "small")], y + ROW - top
    made = [side for side in bench["sides"] if side["failed"] is None and "seconds" in side]
    longest = max((max(side["seconds"]) for side in made), default=1.0)
    first = {ratio["of"] for ratio in bench["ratios"]}
    for side in bench["sides"]:
        lines.append(f"<g><title>{escape(side['says'])}</title>{_text(0, y + 14, side['name'], '')}")
        if side["failed"] is not None:
            lines.append(_text(LABELS, y + 14, _short(f"failed: {side['failed']}"), "over"))
        elif "seconds" in side:
            lines += _bar(side, y, BARS / longest, "bar" if side["name"] in first else "other")
        lines.append("</g>")
        y += ROW
    for ratio in bench["ratios"]:
        lines.append(_text(LABELS, y + 14, in_words(ratio), "over" if is_over(ratio) else "small"))
        y += ROW
    return lines, y - top


def _bar(side: Figures, y: int, scale: float, kind: str) -> Iterator[str]:
    low, high = (LABELS + edge(side["seconds"]) * scale for edge in (min, max))
    middle = side["median_seconds"]
    yield f'<rect class="{kind}" x="{LABELS}" y="{y + 3}" width="{middle * scale:.1f}" height="{ROW - 6}" rx="2"/>'
    yield f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{y + ROW // 2}" y2="{y + ROW // 2}"/>'
    rows = side["rows_per_second"]
    said = f"{middle:.2f} s" + (f", {rows:,.0f} rows/s" if rows else "")
    yield _text(LABELS + BARS + 10, y + 14, said, "small")


def in_words(ratio: Figures) -> str:
    """A ratio, and what it should be at most."""
    value = "no figure" if ratio["value"] is None else f"{ratio['value']:.2f}"
    bounds = [
        f"{word} {ratio[key]:g}" for key, word in (("limit", "at most"), ("goal", "goal")) if ratio[key] is not None
    ]
    said = f" ({', '.join(bounds)})" if bounds else ""
    return f"{ratio['of']} / {ratio['to']}{' per row' if ratio['per_row'] else ''} = {value}{said}"


def is_over(ratio: Figures) -> bool:
    """Whether a ratio is above its limit."""
    return ratio["value"] is not None and ratio["limit"] is not None and ratio["value"] > ratio["limit"]


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:89]}…"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(text)}</text>'

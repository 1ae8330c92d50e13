"""The figures as tables of Markdown, put between two markers of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.benches.picture import is_over

Document = Mapping[str, Any]
BEGIN, END = "<!-- figures, filled by scripts/bench.py -->", "<!-- end of figures -->"
KINDS = {"jvm": "JVM", "engine": "engine", "python": "Python", "prefect": "Prefect"}


class NoMarkers(Exception):
    """A page into which nothing can be put."""


def filled(page: str, documents: Sequence[Document], picture_name: str) -> str:
    """``page`` with the figures of one or more measurements in place of those that it has. Raises NoMarkers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"the page lacks the lines {BEGIN!r} and {END!r}")
    lines = [BEGIN, f"![Seconds of whole processes]({picture_name})", ""]
    for document in documents:
        lines += [*_measurement(document), ""]
    return before + "\n".join([*lines, END]) + after


def caption(document: Document) -> str:
    """A measurement in a line: day, commit, machine."""
    machine = document["machine"]
    changed = " with changes" if document["uncommitted"] else ""
    return (
        f"{document['began'][:10]}, commit {(document['commit'] or 'unknown')[:7]}{changed}, {machine['cores']} cores, "
        f"{machine['memory_mib']:,} MiB, load {document['load']['start'][0]:.1f} to {document['load']['end'][0]:.1f}"
    )


def _measurement(document: Document) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items() if number)
    yield f"{caption(document)}; {versions}."
    yield ""
    yield "| figure | ratio | value | in single rounds | at most | goal |"
    yield "|---|---|---|---|---|---|"
    for bench in document["benches"]:
        if why := bench["failed"] or bench["skipped"]:
            yield f"| {bench['title']} | {'failed' if bench['failed'] else 'left out'}: {_cell(why)} | | | | |"
        for ratio in bench["ratios"]:
            yield _ratio(bench, ratio)
    yield ""
    yield "| figure | side | median, s | CPU, s | rows a second | most resident, MiB |"
    yield "|---|---|---|---|---|---|"
    for bench in document["benches"]:
        for side in bench["sides"]:
            yield _side(bench, side)
        for note in bench["notes"]:
            yield f"| {bench['title']} | {_cell(note)} | | | | |"


def _ratio(bench: Document, ratio: Document) -> str:
    value = "–" if ratio["value"] is None else f"{ratio['value']:.2f}"
    each = ", ".join(f"{one:.2f}" for one in ratio["each"])
    bounds = (f"{ratio[key]:g}" if ratio[key] is not None else "" for key in ("limit", "goal"))
    what = f"{ratio['of']} / {ratio['to']}{', seconds per row' if ratio['per_row'] else ''}"
    shown = f"**{value}**" if is_over(ratio) else value
    return f"| {bench['title']} | {what} | {shown} | {each} | {' | '.join(bounds)} |"


def _side(bench: Document, side: Document) -> str:
    head = f"| {bench['title']} | {side['name']}: {_cell(side['says'])} |"
    if side["failed"] is not None:
        return f"{head} failed: {_cell(side['failed'])} | | | |"
    if "seconds" not in side:
        return f"{head} | | | |"
    rows = f"{side['rows_per_second']:,.0f}" if side["rows_per_second"] else ""
    memory = ", ".join(
        f"{name} {side['peak_mib'][kind]:,.0f}"
        + (f" (at most {side['limits_mib'][kind]:,})" if kind in side["limits_mib"] else "")
        for kind, name in KINDS.items()
        if kind in side["peak_mib"]
    )
    return f"{head} {side['median_seconds']:.2f} | {side['cpu_seconds']:.1f} | {rows} | {memory} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

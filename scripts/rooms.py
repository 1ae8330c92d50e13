"""Draws the rooms into ARCHITECTURE.md, from the imports of the code.

python scripts/rooms.py           draws
python scripts/rooms.py --check   exit status 1 where the page is not what the code says
"""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "ARCHITECTURE.md"
PACKAGES = ("assets", "orchestration", "resources")
CORE = "orchestration.core"
INSIDE_SAID = (CORE, "resources")
"""Rooms whose sub-folders and modules are named in the picture of the house."""
LINE_CHARACTERS = 24
"""A longer line of a label Mermaid would break itself, wherever it likes."""
END = "<!-- end of picture -->"

Arrows = Mapping[tuple[str, str], int]
"""(from, to) → how many imports of a module by a module go that way."""


def house_room(module: str) -> str | None:
    """The room of a module: a folder below `orchestration`, a file there, or one of the other two top folders."""
    parts = module.split(".")
    if parts[0] != "orchestration":
        return parts[0]
    return ".".join(parts[:2]) if len(parts) > 1 else None


def core_room(module: str) -> str | None:
    """The room of a module inside the core; None outside."""
    parts = module.split(".")
    return ".".join(parts[:3]) if module.startswith(f"{CORE}.") else None


def arrows_between(imports: Iterable[tuple[str, str]], room: Callable[[str], str | None]) -> Arrows:
    """Imports (importer, imported) counted by rooms; what has no room, or stays inside one, does not count."""
    pairs = ((room(importer), room(imported)) for importer, imported in imports)
    return Counter((start, end) for start, end in pairs if start and end and start != end)


def neighbours(arrows: Arrows) -> Arrows:
    """The arrows without those that a way over other rooms says too: a → c goes where a → b → c is there."""

    def reachable(room: str) -> set[str]:
        found: set[str] = set()
        waiting = [room]
        while waiting:
            here = waiting.pop()
            for start, end in arrows:
                if start == here and end not in found:
                    found.add(end)
                    waiting.append(end)
        return found

    below = {room: reachable(room) for arrow in arrows for room in arrow}
    if circle := sorted(room for room, rooms in below.items() if room in rooms):
        raise ValueError(f"imports go round between {', '.join(circle)}")
    return {
        (start, end): count
        for (start, end), count in arrows.items()
        if not any(other != end and end in below[other] for first, other in arrows if first == start)
    }


def picture(rooms: Iterable[str], arrows: Arrows, label: Callable[[str], str]) -> str:
    """A Mermaid flowchart of rooms and of the arrows between neighbours, upper rooms first.

    A room is named by its last part, and said by ``label``.
    """
    drawn = neighbours(arrows)
    depth: dict[str, int] = {}

    def depth_of(room: str) -> int:
        if room not in depth:
            depth[room] = 1 + max((depth_of(start) for start, end in drawn if end == room), default=0)
        return depth[room]

    order = sorted(rooms, key=lambda room: (depth_of(room), room))
    lines = [f'    {_name(room)}["{label(room)}"]' for room in order]
    lines += [
        f"    {_name(start)} -->|{count}| {_name(end)}"
        for (start, end), count in sorted(drawn.items(), key=lambda one: (order.index(one[0][0]), one[0]))
    ]
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```"])


def _name(room: str) -> str:
    return room.rpartition(".")[2]


def pictures() -> dict[str, str]:
    """The pictures of today's code, by the name between whose markers they stand."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    modules = sorted(graph.modules)
    imports = [(one, other) for one in modules for other in graph.find_modules_directly_imported_by(one)]

    def label(room: str) -> str:
        children = sorted(_name(child) for child in graph.find_children(room))
        what = room.replace(".", "/") + ("/" if children else ".py")
        inside = textwrap.wrap(", ".join(children), LINE_CHARACTERS) if room in INSIDE_SAID else []
        return "<br/>".join([what, *inside])

    def core_label(room: str) -> str:
        return _name(room) + ("/" if graph.find_children(room) else ".py")

    def drawn(room_of: Callable[[str], str | None], said: Callable[[str], str]) -> str:
        rooms = {room for module in modules if (room := room_of(module))}
        return picture(rooms, arrows_between(imports, room_of), said)

    return {"house": drawn(house_room, label), "core": drawn(core_room, core_label)}


def with_pictures(page: str, made: Mapping[str, str]) -> str:
    """The page with each picture between its two markers. Raises ValueError where these are not there once."""
    for name, text in made.items():
        begin = f"<!-- picture: {name}, made by scripts/rooms.py -->"
        if page.count(begin) != 1:
            raise ValueError(f"the page has the marker {begin} {page.count(begin)} times")
        before, rest = page.split(begin)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f"no {END} follows {begin}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def main(arguments: list[str], page: Path = PAGE) -> int:
    """Writes the page, or with `--check` only compares it."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/rooms.py [--check]", file=sys.stderr)
        return 2
    there = page.read_text(encoding="utf-8")
    made = with_pictures(there, pictures())
    if not arguments:
        page.write_text(made, encoding="utf-8")
    elif there != made:
        print(f"{page.name} does not show the rooms of the code: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))

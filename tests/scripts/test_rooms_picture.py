"""The pictures in ARCHITECTURE.md are made from the code, and say what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.rooms import END, PAGE, arrows_between, core_room, house_room, main, neighbours, picture, with_pictures

BEGIN = "<!-- picture: small, made by scripts/rooms.py -->"


def test_the_page_shows_the_rooms_of_the_code() -> None:
    assert main(["--check"]) == 0, "run `make docs`"


@pytest.mark.costly
def test_a_page_that_says_something_else_is_refused_and_drawn_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "ARCHITECTURE.md"
    shutil.copy(PAGE, page)
    assert (main([], page), main(["--check"], page)) == (0, 0)
    drawn = page.read_text(encoding="utf-8")
    other = drawn.replace("flowchart TB", "flowchart TB\n    cellar", 1)
    page.write_text(other, encoding="utf-8")
    assert main(["--check"], page) == 1
    assert "run `make docs`" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == other
    assert main([], page) == 0
    assert page.read_text(encoding="utf-8") == drawn


def test_an_unknown_option() -> None:
    assert main(["--chek"]) == 2


@pytest.mark.parametrize(
    ("module", "house", "core"),
    [
        ("assets.facts", "assets", None),
        ("resources.delta.log", "resources", None),
        ("orchestration", None, None),
        ("orchestration.project", "orchestration.project", None),
        ("orchestration.engine.changes.rename", "orchestration.engine", None),
        ("orchestration.core", "orchestration.core", None),
        ("orchestration.core.errors", "orchestration.core", "orchestration.core.errors"),
        ("orchestration.core.runs.step", "orchestration.core", "orchestration.core.runs"),
    ],
)
def test_the_room_of_a_module(module: str, house: str | None, core: str | None) -> None:
    assert (house_room(module), core_room(module)) == (house, core)


def test_imports_are_counted_by_rooms() -> None:
    imports = [("a.one", "b.one"), ("a.two", "b.one"), ("a.one", "a.two"), ("b.one", "nowhere")]
    rooms = {"a.one": "a", "a.two": "a", "b.one": "b"}
    assert arrows_between(imports, rooms.get) == {("a", "b"): 2}


@pytest.mark.parametrize(
    ("arrows", "left"),
    [
        ("ab bc ac", "ab bc"),
        ("ab bc cd ad bd", "ab bc cd"),
        ("ab ac bd cd ad", "ab ac bd cd"),
        ("ab cd", "ab cd"),
    ],
)
def test_an_arrow_that_a_longer_way_says_too_is_left_out(arrows: str, left: str) -> None:
    counted = {(start, end): number for number, (start, end) in enumerate(arrows.split(), start=1)}
    assert neighbours(counted) == {(one[0], one[1]): counted[one[0], one[1]] for one in left.split()}


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="imports go round between b, c"):
        neighbours({("a", "b"): 1, ("b", "c"): 1, ("c", "b"): 1})


def test_a_picture() -> None:
    arrows = {("house.roof", "house.hall"): 2, ("house.hall", "cellar"): 3, ("house.roof", "cellar"): 4}
    drawn = picture({"cellar", "house.hall", "house.roof", "garden"}, arrows, lambda room: f"{room}/")
    assert drawn.splitlines() == [
        "```mermaid",
        "flowchart TB",
        '    garden["garden/"]',
        '    roof["house.roof/"]',
        '    hall["house.hall/"]',
        '    cellar["cellar/"]',
        "    roof -->|2| hall",
        "    hall -->|3| cellar",
        "```",
    ]


def test_a_picture_goes_between_its_markers() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nbetween {END} after\n"
    assert with_pictures(page, {"small": "new"}) == f"before\n{BEGIN}\nnew\n{END}\nbetween {END} after\n"


@pytest.mark.parametrize("page", ["none", f"{BEGIN} {END} {BEGIN} {END}", f"{END} {BEGIN}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="picture: small"):
        with_pictures(page, {"small": "new"})

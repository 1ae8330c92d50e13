"""A profile as people see it: tables, a picture that is one, a page; files by the end of their name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestration.core.errors import RunError, UsageError
from orchestration.core.runs.profile import Phase, Profile, ProfiledStep, Span
from orchestration.reports.run_picture import COLORS, LANES_OF_STEPS, in_svg
from orchestration.reports.run_profile import STEPS_SHOWN, as_page, as_text, check_profile_output, write_profile

SVG = "{http://www.w3.org/2000/svg}"


def profile(chunks: int = 2, title: str = "* <last:1> & more") -> Profile:
    """A run with a step a chunk, four side by side, and one step after them."""
    spans = [Span(Phase.PLAN, 0.0, 1.0), Span(Phase.STEPS, 1.0, 98.0), Span(Phase.SESSION, 1.0, 2.0, 1)]
    ids = [f"feed#{number}" for number in range(chunks)]
    long = 90 / ((chunks + 3) // 4)
    for number, id in enumerate(ids):
        at = 2.0 + (number // 4) * long
        spans += [
            Span(Phase.FETCH, at, at + long / 4, 2 + number % 4, id),
            Span(Phase.STEP, at + long / 2, at + long, 6 + number % 4, id),
            Span(Phase.COMPUTE, at + long / 2, at + long * 0.9, 6 + number % 4, id),
        ]
    last = max(span.end for span in spans if span.phase is Phase.STEP)
    spans += [Span(Phase.STEP, last, 98.0, 7, "clean"), Span(Phase.COMMIT, last, 97.0, 7, "clean")]
    steps = [ProfiledStep(id, "feed") for id in ids] + [ProfiledStep("clean", "clean", tuple(ids))]
    return Profile("run-1", title, "2026-01-01T00:00:00Z", 100.0, tuple(steps), tuple(spans))


def test_the_text_has_both_sums() -> None:
    text = as_text(profile())
    assert re.search(r"^plan +1\.00 +1%$", text, re.MULTILINE)
    assert re.search(r"^total +100\.00 +100%$", text, re.MULTILINE)
    row = next(line for line in text.splitlines() if line.startswith("feed#0"))
    heads = next(line for line in text.splitlines() if line.startswith("step "))
    assert heads.split() == ["step", "seconds", "wait", "compute", "commit", "other", "fetching"], text
    seconds, *phases, fetching = (float(cell) for cell in row.split()[1:])
    assert seconds == pytest.approx(sum(phases), abs=0.03)
    assert fetching == 22.5
    assert "beside these: session start 1.00" in text
    assert text.rstrip().splitlines()[-1].endswith("clean")


def test_many_steps_are_told_by_asset() -> None:
    text = as_text(profile(chunks=STEPS_SHOWN))
    assert re.search(rf"^feed +{STEPS_SHOWN} ", text, re.MULTILINE)
    assert "feed#1" not in text.partition("What the last step")[0]


@pytest.mark.parametrize("chunks", [0, 2, LANES_OF_STEPS, 3000])
def test_the_picture_is_one_and_stands_for_itself(chunks: int) -> None:
    of = profile(chunks) if chunks else Profile("run-1", "nothing", "2026-01-01T00:00:00Z", 0.0)
    text = in_svg(of)
    root = ElementTree.fromstring(text)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text and "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "viewBox" not in root.attrib, "or text would shrink with the width"
    assert int(root.attrib["height"]) < 2000
    for bar in root.iter(f"{SVG}rect"):
        if bar.get("x", "").endswith("%") and bar.get("width", "").endswith("%"):
            assert 0 <= float(bar.attrib["x"][:-1]) + float(bar.attrib["width"][:-1]) <= 100
    assert f"{of.seconds:.2f} s" in text
    assert len(text) < 3_000_000


def test_all_that_is_drawn_has_a_colour() -> None:
    assert set(COLORS) == set(Phase)


def test_the_page_has_the_picture_and_the_tables() -> None:
    page = as_page(profile())
    assert page.startswith("<!doctype html>")
    assert "<svg" in page and "total" in page and 'content="width=device-width' in page
    assert "<last:1>" not in page


@pytest.mark.parametrize("name", ["run.json", "run.svg", "run.html", "run.txt"])
def test_a_file_is_written_as_its_name_ends(tmp_path: Path, name: str) -> None:
    check_profile_output(tmp_path / name)
    write_profile(profile(), tmp_path / name)
    text = (tmp_path / name).read_text(encoding="utf-8")
    if name.endswith("json"):
        assert Profile.from_json(json.loads(text)) == profile()
    else:
        assert text[:4] == {"svg": "<svg", "html": "<!do", "txt": "Wher"}[name.partition(".")[2]]


@pytest.mark.parametrize("name", ["run.png", "run", "no/run.svg"])
def test_a_file_that_cannot_be_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        check_profile_output(tmp_path / name)


def test_a_file_that_cannot_be_written_after_all_names_the_command_that_can(tmp_path: Path) -> None:
    (tmp_path / "run.svg").mkdir()
    with pytest.raises(RunError) as refused:
        write_profile(profile(), tmp_path / "run.svg")
    assert "aqi runs run-1 -o FILE" in refused.value.remedy

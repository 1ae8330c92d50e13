"""`make bench`: its smallest size on both engines, whole; and what becomes of sides that fail, without any."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts import bench
from scripts.benches import peers
from scripts.benches.declared import Bench, Ratio, Side, Skipped
from scripts.benches.page import BEGIN, END, NoMarkers, filled
from scripts.benches.picture import in_words, is_over, picture
from scripts.benches.processes import Failed, kind_of, run, what_failed
from scripts.benches.rounds import measure, not_made
from scripts.benches.site import site

pytestmark = pytest.mark.engine  # processes of their own

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def quiet(_line: str) -> None:
    """Tells nobody."""


def python(name: str, code: str, rows: int = 0, says: str = "") -> Side:
    return Side(name, says or name, [[sys.executable, "-c", code]], ENVIRONMENT, rows=rows)


def measured(*sides: Side, ratios: tuple[Ratio, ...] = (), rounds: int = 2, folder: Path) -> dict[str, Any]:
    declared = Bench("tiny", "A tiny one", sides, ratios)
    return measure(declared, rounds, folder / "logs", folder, quiet)


def document(*benches: Mapping[str, Any], smoke: bool = False) -> dict[str, Any]:
    return {
        "format": bench.FORMAT, "smoke": smoke, "began": "2026-01-10T00:00:00+00:00",
        "machine": {"cores": 2, "memory_mib": 24000}, "versions": {"python": "3.11.7", "java": None},
        "commit": "0123456789", "uncommitted": False, "load": {"start": [0.0, 0, 0], "end": [1.5, 0, 0]},
        "benches": list(benches),
    }  # fmt: skip


def svg(file: Path) -> ET.Element:
    return ET.parse(file).getroot()  # noqa: S314 - our own


# --- whole ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.prefect
@pytest.mark.engine
def test_the_smallest_size_gives_figures_of_both_engines(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "bench.py", "--smoke", "--output", tmp_path],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert made["format"] == 1 and made["smoke"] is True
    assert [one["name"] for one in made["benches"]] == list(bench.SMOKE)
    assert all(made["versions"][name] for name in ("python", "java", "pyspark", "deltalake", "pysail", "prefect"))
    assert made["machine"]["cores"] > 0 and made["machine"]["memory_mib"] > 0
    for one in made["benches"]:
        assert one["skipped"] is None and one["failed"] is None
        medians = {}
        for side in one["sides"]:
            assert side["failed"] is None
            assert len(side["seconds"]) == one["rounds"] == 1
            assert min(side["seconds"]) > 0 and side["cpu_seconds"] > 0
            assert side["median_seconds"] == statistics.median(side["seconds"])
            assert side["rows"] == 72 and side["rows_per_second"] == pytest.approx(72 / side["median_seconds"])
            assert min(side["peak_mib"].values()) > 0 and side["peak_mib"]["all"] > 30
            medians[side["name"]] = side["median_seconds"]
        assert one["ratios"]
        for ratio in one["ratios"]:
            assert ratio["value"] == pytest.approx(medians[ratio["of"]] / medians[ratio["to"]])
            assert len(ratio["each"]) == 1
    spark, yardstick = made["benches"][0]["sides"]
    assert spark["peak_mib"]["jvm"] > 100 and yardstick["peak_mib"]["jvm"] > 100
    embedded, duckdb = made["benches"][1]["sides"]
    assert embedded["peak_mib"]["engine"] > 50 and "jvm" not in {*embedded["peak_mib"], *duckdb["peak_mib"]}
    drawn = svg(tmp_path / "bench.svg")
    text = "".join(drawn.itertext())
    assert all(one["title"] in text for one in made["benches"])
    for reference in (value for node in drawn.iter() for name, value in node.attrib.items() if name.endswith("href")):
        pytest.fail(f"the picture needs {reference}")
    with pytest.raises(ValueError, match="of a smoke test"):
        bench.fill([tmp_path / "bench.json"])


def test_the_graph_of_ours_is_built_selected_and_planned() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benches.our_graph", "12"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout.removeprefix("bench details: "))
    assert said["steps"] == 12 and {"graph_seconds", "selection_seconds", "plan_seconds"} <= said.keys()


# --- rounds --------------------------------------------------------------------------------------


def test_sides_run_in_turn_and_the_warm_up_does_not_count(tmp_path: Path) -> None:
    note = f"open({str(tmp_path / 'order')!r}, 'a').write"
    sides = (python("a", f"{note}('a')"), python("b", f"{note}('b')"))
    made = measured(*sides, ratios=(Ratio("a", "b"),), rounds=3, folder=tmp_path)
    assert (tmp_path / "order").read_text() == "abababab"
    assert [len(side["seconds"]) for side in made["sides"]] == [3, 3]
    a, b = ([*side["seconds"]] for side in made["sides"])
    assert made["ratios"][0]["value"] == statistics.median(a) / statistics.median(b)
    assert made["ratios"][0]["each"] == [x / y for x, y in zip(a, b, strict=True)]


def test_per_row_divides_by_rows_first(tmp_path: Path) -> None:
    sides = (python("few", "", rows=10), python("many", "", rows=1000))
    made = measured(*sides, ratios=(Ratio("few", "many", per_row=True),), folder=tmp_path)
    few, many = (side["median_seconds"] for side in made["sides"])
    assert made["ratios"][0]["value"] == pytest.approx((few / 10) / (many / 1000))


def test_commands_of_a_side_are_one_after_the_other_and_before_is_not_in_the_time(tmp_path: Path) -> None:
    nap = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    side = Side("naps", "naps", [nap, nap], ENVIRONMENT, before=lambda: time.sleep(1.5))
    made = measured(side, rounds=1, folder=tmp_path)
    assert 0.6 < made["sides"][0]["median_seconds"] < 2.0


def test_a_side_that_fails_has_no_figure_and_is_not_called_again(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    code = f"open({str(calls)!r}, 'a').write('x'); raise ValueError('no such thing')"
    made = measured(python("good", ""), python("bad", code), ratios=(Ratio("good", "bad", 1.0),), folder=tmp_path)
    good, bad = made["sides"]
    assert calls.read_text() == "x"
    assert bad["failed"] == "ended with 1: ValueError: no such thing"
    assert "seconds" not in bad and len(good["seconds"]) == 2
    assert made["ratios"][0]["value"] is None and not is_over(made["ratios"][0])
    assert bench.has_failed(document(made))
    assert "no such thing" in picture([made], "now")


def test_what_commands_say_of_themselves_is_kept_as_medians(tmp_path: Path) -> None:
    code = 'print(\'noise\'); print(\'bench details: {"commits": 3, "word": "x"}\')'
    assert measured(python("a", code), folder=tmp_path)["sides"][0]["details"] == {"commits": 3, "word": "x"}


def test_where_dagster_cannot_be_installed_its_benches_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with site(tmp_path, smoke=True) as here, pytest.raises(Skipped, match="Dagster cannot be installed here"):
        peers.dagster_empty(here)
    assert not list(tmp_path.rglob("made"))


# --- processes -----------------------------------------------------------------------------------


def test_a_command_that_takes_too_long_is_ended_with_all_below_it(tmp_path: Path) -> None:
    child = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with pytest.raises(Failed, match="took longer than 1 s"):
        run([sys.executable, "-c", child], ENVIRONMENT, tmp_path / "log", 1.0, tmp_path)
    below = int((tmp_path / "log").read_text())
    assert not psutil.pid_exists(below) or psutil.Process(below).status() == psutil.STATUS_ZOMBIE


def test_a_command_that_is_not_there_has_failed(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be started"):
        run([str(tmp_path / "none")], ENVIRONMENT, tmp_path / "log", 1.0, tmp_path)


def test_memory_and_cpu_of_children_count(tmp_path: Path) -> None:
    child = "x = bytearray(80 << 20); import time; t = time.process_time()\nwhile time.process_time() < t + 0.5: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    sample = run([sys.executable, "-c", code], ENVIRONMENT, tmp_path / "log", 60, tmp_path)
    assert sample.peak_mib["python"] > 80 and sample.peak_mib["all"] >= sample.peak_mib["python"]
    assert sample.cpu_seconds > 0.3


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["/usr/lib/jvm/java-17/bin/java", "-Xmx1g", "org.apache.spark.deploy.SparkSubmit"], "jvm"),
        (["python", "/x/resources/embedded/server.py", "1"], "engine"),
        (["python", "-m", "prefect", "server", "start"], "prefect"),
        (["python", "/x/.venv/bin/aqi", "materialize"], "python"),
        ([], "python"),
    ],
)
def test_what_kind_a_process_is(command: list[str], kind: str) -> None:
    assert kind_of(command) == kind


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "it said nothing"),
        (["one", "two", ""], "two"),
        (["Traceback", "ValueError: no", "+- LocalRelation [a]"], "ValueError: no"),
        (["error: the environment", "  Use another."], "error: the environment"),
    ],
)
def test_what_is_told_of_a_failure(lines: list[str], said: str) -> None:
    assert what_failed(lines) == said


# --- picture and page ----------------------------------------------------------------------------


def test_a_picture_is_whole_and_says_what_is_above_its_limit(tmp_path: Path) -> None:
    sides = (python("a<b", "", says="x & y"), python("b", ""))
    made = measured(*sides, ratios=(Ratio("a<b", "b", 0.001, 0.0005),), folder=tmp_path)
    text = picture([made, not_made("n", "Never <made>", skipped="no Java")], "2 cores & more")
    (tmp_path / "drawn.svg").write_text(text)
    drawn = svg(tmp_path / "drawn.svg")
    texts = [node for node in drawn.iter() if node.tag.endswith("}text")]
    over = [node.text for node in texts if node.get("class") == "over"]
    assert over == [in_words(made["ratios"][0])]
    assert over[0] is not None and over[0].endswith("(at most 0.001, goal 0.0005)")
    assert {"Never <made>", "left out: no Java", "2 cores & more", "a<b"} <= {node.text for node in texts}


def test_figures_take_the_place_of_those_that_the_page_had(tmp_path: Path) -> None:
    made = measured(python("a", "", rows=72), python("b", ""), ratios=(Ratio("a", "b", 0.001),), folder=tmp_path)
    page = f"# Page\n{BEGIN}\nold\n{END}\nafter\n"
    once = filled(page, [document(made, not_made("n", "N", failed="a | b"))], "performance.svg")
    assert "old" not in once and once.startswith("# Page\n") and once.endswith(f"{END}\nafter\n")
    assert f"| **{made['ratios'][0]['value']:.2f}** |" in once
    assert "failed: a \\| b" in once and "python 3.11.7" in once and "java" not in once
    rows = [line.replace("\\|", "") for line in once.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {7}
    assert filled(once, [document(made, not_made("n", "N", failed="a | b"))], "performance.svg") == once
    with pytest.raises(NoMarkers):
        filled("# Page\n", [document(made)], "performance.svg")


def test_filling_writes_page_and_picture(tmp_path: Path) -> None:
    made = measured(python("a", ""), folder=tmp_path)
    (tmp_path / "bench.json").write_text(json.dumps(document(made)))
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    bench.fill([tmp_path / "bench.json"], page)
    assert "performance.svg" in page.read_text()
    svg(tmp_path / "performance.svg")


def test_the_page_names_every_bench_and_has_the_markers() -> None:
    page = bench.PAGE.read_text(encoding="utf-8")
    assert [name for name in bench.BENCHES if f"`{name}`" not in page] == []
    assert BEGIN in page and END in page


def test_a_wrong_call_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--only", "nothing"], ["--repeat", "0"]):
        with pytest.raises(SystemExit) as refused:
            bench.main(wrong)
        assert refused.value.code == 2
    capsys.readouterr()
    assert bench.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(bench.BENCHES)

"""Modules of JavaScript as one script: names stay apart, and what has another form is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestration.reports.page import PAGES, bundle

NODE = shutil.which("node")


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bundle, "FOLDER", tmp_path)
    (tmp_path / "static").mkdir()
    return tmp_path / "static"


def write(static: Path, **modules: str) -> None:
    for name, text in modules.items():
        (static / f"{name}.js").write_text(text, encoding="utf-8")


APP = """import { twice } from "./sums.js";
export function start(pages) {
  const own = Object.entries(pages).map(([name, page]) => `${name} ${page.draw(2)}`);
  console.log(twice(2), own.join(", "));
}
"""


@pytest.mark.skipif(NODE is None, reason="there is no node")
def test_modules_run_as_one_script(static: Path) -> None:
    sums = """const own = 2;
export const unit = 1;
export async function later() {}
export function twice(x) { return own * x; }
"""
    page = """import { twice, unit } from "./sums.js";
const own = 10;
export function draw(x) { return twice(own) + x + unit; }
"""
    write(static, app=APP, sums=sums, a=page, b=page)
    text = bundle.bundle("app.js", ["a.js", "b.js"])
    assert text.count("const unit = 1") == 1, "a module that two import is there once"
    done = subprocess.run([str(NODE), "-"], input=text, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "4 a 23, b 23\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('import { a as b } from "./app.js";', "write imports and exports as bundle.py says"),
        ('import * as sums from "./sums.js";', "write imports"),
        ('import { a } from "https://example.org/a.js";', "write imports"),
        ("export default 3;", "write imports"),
        ("export let a = 3;", "write imports"),
        ('const end = "</script>";', "`</` and `<!--` may not stand in it"),
        ('import { start } from "./app.js";', "imports itself"),
    ],
)
def test_what_has_another_form_is_refused(static: Path, line: str, said: str) -> None:
    write(
        static,
        app='import { a } from "./sums.js";\nexport function start() {}\n',
        sums=f"{line}\nexport const a = 1;\n",
    )
    with pytest.raises(ValueError, match=said):
        bundle.bundle("app.js", [])


@pytest.mark.skipif(NODE is None, reason="there is no node")
def test_our_own_is_a_script() -> None:
    text = bundle.bundle("app.js", [f"{name}.js" for name in PAGES])
    done = subprocess.run(
        [str(NODE), "--check", "-"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "innerHTML" not in text
    assert "insertAdjacentHTML" not in text

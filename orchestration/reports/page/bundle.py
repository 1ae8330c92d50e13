"""Bundles the JavaScript modules of the report into one script: a page that is opened from disk can import nothing.

The modules follow one form, so that no tool is needed. Imports are ``import { a, b } from "./name.js";``, one per
line. Exports are ``export function``, ``export const`` and ``export class`` at the beginning of a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'^import \{ (\w+(?:, \w+)*) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def static(name: str) -> str:
    """The text of a style or script. Raises ValueError if it would end the HTML element that contains it."""
    text = (FOLDER / "static" / name).read_text(encoding="utf-8")
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name}: `</` and `<!--` may not stand in it")
    return text


def bundle(first: str, pages: Sequence[str]) -> str:
    """One script from the module ``first`` and the modules ``pages``. At its end it calls ``first``'s ``start(pages)``;
    ``pages`` there are the exports of each module, by its name.

    Each module becomes a function, so that its names are its own. Raises ValueError for an import or export of another
    form, and for circular imports.
    """
    parts: list[str] = []
    done: dict[str, bool] = {}

    def add(name: str) -> None:
        if name in done:
            if not done[name]:
                raise ValueError(f"{name} imports itself, by way of others")
            return
        done[name] = False
        text = static(name)
        for _, of in _IMPORT.findall(text):
            add(of)
        parts.append(_as_function(name, text))
        done[name] = True

    for name in (first, *pages):
        add(name)
    given = ", ".join(f'"{Path(name).stem}": {_called(name)}' for name in pages)
    return "\n".join(['"use strict";', *parts, f"{_called(first)}.start({{ {given} }});", ""])


def _as_function(name: str, text: str) -> str:
    exported = _EXPORT.findall(text)
    text = _EXPORT.sub("", _IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_called(found[2])};", text))
    if left := re.search(r"^(?:import|export)\b.*", text, re.MULTILINE):
        raise ValueError(f"{name}: write imports and exports as bundle.py says (got {left[0]!r})")
    return f"const {_called(name)} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _called(name: str) -> str:
    return f"in_{Path(name).stem.replace('-', '_')}"

"""The file of the report: its template, filled with styles, scripts and facts.

The file loads nothing. Its content security policy lets browsers run only this project's scripts, by their digests.
The facts are JSON in the file, escaped so that browsers cannot take them for markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from orchestration.reports.page.bundle import FOLDER, bundle, static
from orchestration.reports.page.found import Found
from orchestration.reports.page.head import head

_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(found: Found, pages: Sequence[str]) -> str:
    """The report's whole text, with a tab for each of ``pages``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    modules = {name: import_module(f"{__package__}.{name}") for name in pages}
    head_facts = head(found)
    made = {name: module.facts(found) for name, module in modules.items()}
    facts = {"head": head_facts} | {name: of for name, of in made.items() if of is not None}
    shown = [name for name in pages if name in facts]
    style = "\n".join(static(f"{name}.css") for name in ("style", *shown))
    script = bundle("app.js", [f"{name}.js" for name in shown])
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        title=f"{head_facts['project']}: report",
        head=head_facts,
        tabs=[(name, modules[name].TITLE) for name in shown],
        # Both are our own text; ``static`` refuses text that would end their elements.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        facts=[(name, Markup(in_script(value))) for name, value in facts.items()],  # noqa: S704
        policy="; ".join(
            [
                "default-src 'none'",
                f"style-src '{_digest(style)}'",
                f"script-src '{_digest(script)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
    )


def in_script(value: Any) -> str:
    """JSON for a script element: nothing in it ends the element or a line.

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

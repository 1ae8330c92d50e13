"""A report that is open in a browser, and what came of it that must not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestration.reports.page.html import in_script

Open = Callable[..., Any]
"""(address, width, height, dark, file) → the page."""


def wait_for(page: Any, address: str) -> None:
    """Until what stands at an address is drawn: a click on a link leads there a moment later."""
    page.wait_for_selector(f"body[data-shown='#{address}']")


class Opened:
    """said: on the console, errors and dialogs among it. asked: what was to be loaded, but for the file itself."""

    def __init__(self, chromium: Any, file: Path, address: str, width: int, height: int, *, dark: bool = False) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        self._context.route("**/*", self._route)
        self._context.set_default_timeout(8_000)
        self.page = self._context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dialog)
        self._file = file.as_uri()
        self.page.goto(f"{self._file}{address}")

    def _route(self, route: Any) -> None:
        url = route.request.url
        if url.partition("#")[0] == self._file:
            route.continue_()
        else:
            self.asked.append(url)
            route.abort()

    def _dialog(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self) -> None:
        self._context.close()


def facts_of(report: Path, page: str) -> Any:
    """What a report has for a page."""
    found = re.search(f'id="facts-{page}">([^<]*)<', report.read_text(encoding="utf-8"))
    assert found is not None
    return json.loads(found[1])


def with_facts(report: Path, file: Path, name: str, facts: Any) -> Path:
    """The report with other facts of a page."""
    text = report.read_text(encoding="utf-8")
    start = text.index(f'id="facts-{name}">') + len(f'id="facts-{name}">')
    file.write_text(text[:start] + in_script(facts) + text[text.index("<", start) :], encoding="utf-8")
    return file

"""The content of a file that people saved: its JSON, and the API's answers in it, bare or wrapped.

Pipelines wrap an answer in an object (``{"fetched": …, "data": {…}}``), in a list, as a text in JSON, or as one of
several lines (JSON lines), and pack the file (gzip). JSON that is similar to an answer counts as one, so that it is
refused, not ignored: an object with lists of hours, with ``hourly_units``, or with ``generationtime_ms`` and
coordinates; an error of the API (``{"error": true, "reason": "…"}``); such JSON that is broken off.

Pure. Must not know: folders, the rules of a valid answer.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from resources.open_meteo.variables import UNITS
from resources.simulator.documents import NotAnAnswer, WrongDocument, saved_error

STREAM_ERROR = re.compile(r"Unexpected error while streaming data: ?([^\n]{0,200})")
"""The end of an answer whose reading failed after the answer had begun."""
LIKE_AN_ANSWER = re.compile(r'"(hourly|hourly_units|generationtime_ms)"\s*:')
DEEPEST = 12
"""Answers are looked for in so many levels of objects, lists and texts."""
_LINE = re.compile(r"\s*([{].*[}]|[\[].*[\]])\s*$")
_GZIP, _WITH_HEADER = b"\x1f\x8b", 31


def content_of(data: bytes) -> Any:
    """The JSON of a file's bytes; for JSON lines the list of the lines' values.

    Raises WrongDocument for text that is similar to an answer and no JSON, NotAnAnswer for other text that is no JSON.
    """
    whole = True
    if data.startswith(_GZIP):
        data, whole = _unpacked(data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as problem:
        text = data.decode("utf-8", "replace")
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) > 1 and _LINE.match(lines[0][1]):
            return [_of_line(number, line, text) for number, line in lines]
        if found := STREAM_ERROR.search(text):
            raise WrongDocument(f"it is an error of the API: {found[0].strip()}") from None
        if LIKE_AN_ANSWER.search(text):
            what = "it is broken off" if whole else "it is broken off, as packed as it is"
            raise WrongDocument(f"{what}, or otherwise no JSON ({problem})") from None
        raise NotAnAnswer("no JSON") from None


def _of_line(number: int, line: str, text: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        if found := STREAM_ERROR.search(line):
            raise WrongDocument(f"line {number} is an error of the API: {found[0].strip()}") from None
        if LIKE_AN_ANSWER.search(text):
            raise WrongDocument(f"line {number} is broken off, or otherwise no JSON") from None
        raise NotAnAnswer(f"line {number} is no JSON") from None


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    """The unpacked bytes of gzip data, as far as they go, and whether they are complete."""
    parts = []
    while data:
        inflater = zlib.decompressobj(_WITH_HEADER)
        try:
            parts.append(inflater.decompress(data))
        except zlib.error:
            return b"".join(parts), False
        if not inflater.eof:
            return b"".join(parts), False
        data = inflater.unused_data
    return b"".join(parts), True


def answers_in(content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The answers in JSON, and objects similar to one, each with its path (``[2].data``; empty for the whole)."""
    yield from _answers(content, "", 0)


def _answers(content: Any, way: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if depth > DEEPEST:
        return
    if isinstance(content, Mapping):
        if is_like_an_answer(content):
            yield way, content
            return
        for name, part in content.items():
            yield from _answers(part, f"{way}.{name}" if way else str(name), depth + 1)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield from _answers(part, f"{way}[{number}]", depth + 1)
    elif isinstance(content, str):
        yield from _in_text(content, way, depth)


def is_like_an_answer(content: Mapping[str, Any]) -> bool:
    """Whether an object is an answer about a location, similar to one, or an error of the API.

    A request is not: its ``hourly`` is a list of names.
    """
    hourly = content.get("hourly")
    first = hourly[0] if isinstance(hourly, list) and hourly else hourly
    if isinstance(first, Mapping) and ("time" in first or any(name in UNITS for name in first)):
        return True
    if isinstance(content.get("hourly_units"), Mapping) or saved_error(content) is not None:
        return True
    return "generationtime_ms" in content and "latitude" in content and "longitude" in content


def _in_text(text: str, way: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The answers in a text that holds JSON."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        if found := STREAM_ERROR.search(text):
            raise WrongDocument(f"{way or 'it'} is an error of the API: {found[0].strip()}")
        return
    try:
        yield from _answers(content_of(text.encode()), way, depth + 1)
    except NotAnAnswer:
        return
    except WrongDocument as problem:
        raise WrongDocument(f"in {way or 'its text'}: {problem}", problem.remedy) from None

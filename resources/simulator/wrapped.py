"""What lies in a file that people kept: the JSON in it, and the answers of the API in that, bare or wrapped.

A pipeline puts an answer beside other things (``{"fetched": …, "data": {…}}``), in a list, as text in text, a line
each (JSON lines), and packs the file (gzip). What is near an answer counts as one, so that it is refused and not
passed over: an object with lists of hours, one with ``hourly_units``, one with ``generationtime_ms`` and coordinates,
an error of the API (``{"error": true, "reason": "…"}``), JSON of these that is broken off.

Pure. Must not know: folders, what an answer has to be like.
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
"""What the API ends an answer with where reading fails after it began."""
LIKE_AN_ANSWER = re.compile(r'"(hourly|hourly_units|generationtime_ms)"\s*:')
DEEPEST = 12
"""Levels of objects, lists and texts in which answers are looked for."""
_LINE = re.compile(r"\s*([{].*[}]|[\[].*[\]])\s*$")
_GZIP, _WITH_HEADER = b"\x1f\x8b", 31


def content_of(data: bytes) -> Any:
    """The JSON of a file's bytes; a list of those of its lines.

    Raises WrongDocument for what is near an answer and no JSON, NotAnAnswer for what is neither.
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
    """What gzip packed, as far as it is there, and whether it is there whole."""
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
    """The answers in JSON, and what is near one, each with the way to it (``[2].data``; nothing for the whole)."""
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
    """Whether an object is an answer about a location, or near one, or an error of the API.

    A request is none, where ``hourly`` is a list of names.
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

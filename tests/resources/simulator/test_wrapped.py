"""What of a file is an answer, what is near one, and what is none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from resources.simulator.documents import NotAnAnswer, WrongDocument
from resources.simulator.wrapped import answers_in, content_of
from tests.support.recording_shapes import WRAPPERS, as_json, as_lines, document, values_of

ANSWER = document(values_of(3))
ERROR = {"error": True, "reason": "busy"}


@pytest.mark.parametrize("shape", WRAPPERS)
def test_an_answer_is_found(shape: str) -> None:
    found = list(answers_in(content_of(WRAPPERS[shape][1](ANSWER))))
    assert {json.dumps(answer) for _, answer in found} == {json.dumps(ANSWER)}


def test_the_way_to_each_answer() -> None:
    content = {"cities": [{"body": ANSWER}, {"body": [ANSWER, ERROR]}]}
    assert [way for way, _ in answers_in(content)] == ["cities[0].body", "cities[1].body[0]", "cities[1].body[1]"]


@pytest.mark.parametrize(
    "content",
    [
        {"name": "app", "version": "1.0", "scripts": {"hourly": "node fetch.js"}, "dependencies": {}},
        {"locations": [{"name": "hanoi", "latitude": 21.0278, "longitude": 105.8342}]},
        {"latitude": 21.0278, "longitude": 105.8342, "hourly": ["pm2_5", "dust"], "timezone": "UTC"},
        {"latitude": 21.0278, "longitude": 105.8342, "hourly": "pm2_5,dust"},
        {"hourly": {"enabled": True}},
        {"results": [{"name": "Hanoi", "latitude": 21.0, "longitude": 105.8}], "generationtime_ms": 0.4},
        {"error": True, "message": "of another program"},
        {"error": "busy", "reason": "of another program"},
        {"latitude": 1, "longitude": 2},
        [3],
        [],
        3,
        None,
        "text",
        "[not JSON",
    ],
)
def test_other_json_is_no_answer(content: Any) -> None:
    assert list(answers_in(content_of(as_json(content)))) == []


@pytest.mark.parametrize(
    "content",
    [
        ERROR,
        {"status": 429, "response": ERROR},
        {**ANSWER, "hourly": None},
        {"latitude": 1, "longitude": 2, "generationtime_ms": 0.1, "current": {"time": "2025-09-01T00:00"}},
        {"hourly": ANSWER["hourly"]},
        {"hourly": {"pm2_5": []}},
        {"hourly": [{"time": "2025-09-01T00:00", "pm2_5": 3}]},
    ],
)
def test_what_is_near_an_answer_counts_as_one(content: Any) -> None:
    assert len(list(answers_in(content))) == 1


TEXT = as_json(ANSWER)
PACKED = gzip.compress(b"a", mtime=0)
SENTENCE = b"Unexpected error while streaming data: timeoutReached"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TEXT[:-40], "it is broken off, or otherwise no JSON"),
        (TEXT + b"}", "it is broken off, or otherwise no JSON"),
        (TEXT[:-40] + SENTENCE, "it is an error of the API: Unexpected error while streaming data: timeoutReached"),
        (SENTENCE, "it is an error of the API: Unexpected error while streaming data"),
        (gzip.compress(TEXT, mtime=0)[:-30], "it is broken off, as packed as it is, or otherwise no JSON"),
        (as_lines(ANSWER, {}) + TEXT[:-40], "line 3 is broken off, or otherwise no JSON"),
        (as_lines(ANSWER) + b"done\n", "line 2 is broken off, or otherwise no JSON"),
        (as_lines({}, ANSWER) + SENTENCE, "line 3 is an error of the API: Unexpected error"),
        (as_json({"payload": (TEXT[:-40]).decode()}), "in payload: it is broken off"),
        (as_json({"payload": SENTENCE.decode()}), "payload is an error of the API: Unexpected error"),
    ],
)
def test_what_is_broken_off_is_near_an_answer(data: bytes, said: str) -> None:
    with pytest.raises(WrongDocument) as caught:
        list(answers_in(content_of(data)))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe\x00", b"a,b\n1,2\n", b"{}\n{", PACKED + b"!", b"\x1f\x8b", b"[" * 100_000],
    ids=["nothing", "begun", "no text", "table", "lines", "packed", "pack begun", "deep"],
)
def test_other_files_are_none(data: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        content_of(data)


def test_an_answer_deeper_than_anybody_wraps_is_not_looked_for() -> None:
    content: Any = ANSWER
    for _ in range(30):
        content = [content]
    assert list(answers_in(content)) == []

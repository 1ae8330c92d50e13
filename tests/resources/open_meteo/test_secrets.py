"""What must not be told is found in whatever way it is written, and what only looks like it is left alone."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.open_meteo.secrets import Secrets
from tests.support.api_answers import ONE_DAY, document, good, now
from tests.support.scripted_api import CannedApi

texts = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6, max_size=20).map("k~{}".format)
WAYS = {
    "as it is": lambda text: text,
    "in an address": lambda text: quote(text, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "in an address within one": lambda text: quote(quote(text, safe=""), safe=""),
    "in lower-case escapes": lambda text: "".join(
        f"%{byte:02x}" if byte > 127 else chr(byte) for byte in text.encode()
    ),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
}


@settings(max_examples=60, deadline=None)
@given(key=texts, password=texts, way=st.sampled_from(sorted(WAYS)))
def test_however_it_is_written(key: str, password: str, way: str) -> None:
    secrets = Secrets(key, password, user="someone")
    for text in (key, password):
        written = WAYS[way](text)
        assert written not in secrets.hidden_in(f"<{written}>")
        assert written.encode() not in secrets.hidden_in_body(f"<{written}>".encode())


def test_escapes_in_lower_case() -> None:
    secrets = Secrets("k/e+y=1")
    assert secrets.hidden_in("apikey=k%2fe%2by%3d1&x") == "apikey=***&x"


def test_user_and_password_as_http_sends_them() -> None:
    secrets = Secrets(None, "pa%20ss", user="an%6e")
    told = b64encode(b"ann:pa ss").decode()
    assert secrets.hidden_in(f"Authorization: Basic {told}") == "Authorization: Basic ***"
    assert secrets.hidden_in("ann, an%6e and annex") == "***, *** and annex"
    assert secrets.hidden_in("http%3A%2F%2Fann%3Apa+ss%40host, %252Fann") == "http%3A%2F%2F***%3A***%40host, %252F***"


def test_a_user_by_the_name_of_a_variable_leaves_answers_readable(client: Any) -> None:
    for user in ("time", "pm10", "hourly", "ozone", "a", "24"):
        with CannedApi(good()) as server:
            asks = client(server.url.replace("//", f"//{user}:secret-1@"), api_key="latitude")
            assert asks.fetch(ONE_DAY, now).answers[0].table.num_rows == 24
    body = json.dumps(document()).encode()
    assert Secrets("hourly_units", "0", user="dust").hidden_in_body(body) == body


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    body = b"\xff\xfe k3y-of-mine \x00\x80"
    assert Secrets("k3y-of-mine").hidden_in_body(body) == b"\xff\xfe *** \x00\x80"


def test_the_log_of_requests_has_no_key(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with CannedApi(good()) as server:
        client(server.url.replace("//", "//ann:pass-w0rd@"), api_key="s3/cret").fetch(ONE_DAY, now)
    lines = [record.getMessage() for record in caplog.records if record.name == "urllib3.connectionpool"]
    assert any("apikey=***" in line for line in lines)
    assert not any("cret" in line or "w0rd" in line for line in lines)

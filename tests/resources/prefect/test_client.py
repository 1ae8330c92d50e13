"""Prefect's API without a server: addresses without what is secret, pages, and what is wrong in a line."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resources.machine.addresses import without_secrets
from resources.prefect.client import PrefectApi, what_failed, why_unseen


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("http://127.0.0.1:4200/api/", "http://127.0.0.1:4200/api/"),
        ("http://host/api?token=abc", "http://host/api"),
        ("http://host/api#abc", "http://host/api"),
        ("http://user:secret@host:4200/api", "http://host:4200/api"),
        ("https://user:secret@host/api?token=abc#abc", "https://host/api"),
        ("http://user:sec@ret@host/api", "http://host/api"),
        ("http://user:sec/ret@host/api", "http://host/api"),
        ("http://[::1]:4200/api?token=abc", "http://[::1]:4200/api"),
        ("HTTP://Host/api", "http://Host/api"),
        ("user:secret@host:4200/api?to=http://host/abc", "host:4200/api"),
        (
            "https://app.prefect.cloud/api/accounts/1/workspaces/2",
            "https://app.prefect.cloud/api/accounts/1/workspaces/2",
        ),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


class Pages:
    """Prefect's client, over items that it gives page by page."""

    def __init__(self, items: int) -> None:
        self.items = list(range(items))
        self.offsets: list[int] = []

    def request(self, method: str, path: str, json: dict[str, Any]) -> httpx.Response:
        assert (method, path, json["flows"]) == ("POST", "/flows/filter", {"name": "a"})
        self.offsets.append(json["offset"])
        return httpx.Response(200, json=self.items[json["offset"] :][: json["limit"]])


@pytest.mark.parametrize(
    ("items", "offsets"), [(0, [0]), (1, [0]), (2, [0, 2]), (3, [0, 2]), (5, [0, 2, 4]), (6, [0, 2, 4, 6])]
)
def test_all_pages_are_read(items: int, offsets: list[int]) -> None:
    client: Any = Pages(items)
    assert PrefectApi(client, page=2).all("/flows/filter", {"flows": {"name": "a"}}) == list(range(items))
    assert client.offsets == offsets


REQUEST = httpx.Request("POST", "http://user:secret@host/api/flows/filter?token=abc")
ANSWER = httpx.HTTPStatusError("500 for url …?token=abc", request=REQUEST, response=httpx.Response(500))


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ANSWER, "answers 500 to POST /api/flows/filter"),
        (httpx.ReadTimeout("http://user:secret@host"), "does not answer"),
        (RuntimeError("Cannot start. Failed to reach API at http://user:secret@host/api/"), "does not answer"),
        (RuntimeError("a bug"), ""),
        (ValueError("Failed to reach API"), ""),
    ],
)
def test_what_failed_of_a_server(error: Exception, what: str) -> None:
    assert what_failed(error) == what


def test_why_a_server_was_not_seen() -> None:
    assert why_unseen(ANSWER) == "it answers 500 to POST /api/flows/filter"
    assert (
        why_unseen(httpx.ConnectError("[Errno 111] Connection refused"))
        == "ConnectError: [Errno 111] Connection refused"
    )
    assert why_unseen(httpx.ReadTimeout("")) == "ReadTimeout"

"""Prefect's API: requests through Prefect's own client, answers of several pages, and errors as one line of text.

Prefect is imported only when a connection opens: a command that needs no server starts without Prefect. No message
contains the secrets of an address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import in_a_line

if TYPE_CHECKING:
    from httpx import HTTPStatusError
    from prefect.client.orchestration import SyncPrefectClient

PAGE = 200


def wrong_answer(error: HTTPStatusError) -> str:
    """The status of an answer, and the request: ``404 to POST /api/flows/``."""
    return f"{error.response.status_code} to {error.request.method} {error.request.url.path}"


def why_unseen(error: Exception) -> str:
    """What is wrong with a server, in one line without secrets."""
    from httpx import HTTPStatusError, InvalidURL

    if isinstance(error, HTTPStatusError):
        return f"it answers {wrong_answer(error)}"
    if isinstance(error, InvalidURL):  # its text may repeat a part of a password
        return "this is no address"
    return in_a_line(error)


def what_failed(error: Exception) -> str:
    """For an error of Prefect's client: what the server did, without secrets, as ``does not answer``. Empty for other
    errors."""
    from httpx import HTTPStatusError, RequestError

    if isinstance(error, HTTPStatusError):
        return f"answers {wrong_answer(error)}"
    unreached = isinstance(error, RuntimeError) and "Failed to reach API" in str(error)
    return "does not answer" if unreached or isinstance(error, RequestError) else ""


class PrefectApi:
    """An open connection to Prefect's API, from `open_api`. page: how many items one request asks for."""

    def __init__(self, client: SyncPrefectClient, page: int = PAGE) -> None:
        self._client = client
        self.page = page

    def ask(self, method: Any, path: Any, body: Any = None) -> Any:
        """The JSON of an answer. Raises httpx's errors, and JSONDecodeError where the answer is not JSON."""
        return self._client.request(method, path, json=body).json()

    def send(self, method: Any, path: Any, body: Any = None) -> None:
        """Send a request whose answer is not needed. Raises httpx's errors."""
        self._client.request(method, path, json=body)

    def clock(self) -> datetime | None:
        """The time of the server's clock, to a second; None where its answer has no valid date. Raises httpx's
        errors."""
        date = self._client.request("GET", "/health").headers.get("Date")
        try:
            return None if date is None else parsedate_to_datetime(date).astimezone(UTC)
        except ValueError:
            return None

    def all(self, path: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All items that match a filter, read page by page."""
        found: list[dict[str, Any]] = []
        while True:
            items = self.ask("POST", path, {**body, "limit": self.page, "offset": len(found)})
            found += items
            if len(items) < self.page:
                return found


@contextmanager
def open_api(
    url: str | None = None,
    *,
    retries: int | None = None,
    timeout_seconds: float | None = None,
    page: int = PAGE,
) -> Iterator[PrefectApi]:
    """The API at ``url``. An argument that is None has the value of Prefect's own settings.

    retries: how often a request is repeated that a busy server puts off (503). page: how many items one request asks
    for.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    changed = {PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: retries}
    patience = None if timeout_seconds is None else {"timeout": timeout_seconds}
    with (
        temporary_settings({setting: value for setting, value in changed.items() if value is not None}),
        get_client(httpx_settings=patience, sync_client=True) as client,
    ):
        yield PrefectApi(client, page)

"""A server that is away when a run ends: what was made is made, and it is told of it when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from resources.machine.addresses import without_secrets
from resources.machine.proxies import for_requests

SECONDS = 900.0
"""So long the end of a run waits for its server. Prefect's own attempts to set a state take a minute, and then the run
would be left as if it went on."""
EVERY_SECONDS, ANSWER_SECONDS = 3.0, 5.0


def wait_for_server(
    url: str, say: Callable[[str], None], seconds: float = SECONDS, every_seconds: float = EVERY_SECONDS
) -> bool:
    """Whether the API at ``url`` answers; waits for it. say: is told of a wait, and of its end."""
    if _answers(url):
        return True
    say(f"Prefect's server at {without_secrets(url)} is away; the work is done, and waits {seconds:.0f} s to tell it.")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(every_seconds)
        if _answers(url):
            say("Prefect's server answers again.")
            return True
    return False


def _answers(url: str) -> bool:
    address = f"{url.rstrip('/')}/health"
    try:
        answer = requests.get(address, timeout=ANSWER_SECONDS, proxies=for_requests(address), allow_redirects=False)
    except requests.RequestException:
        return False
    return bool(answer.status_code < requests.codes.internal_server_error)

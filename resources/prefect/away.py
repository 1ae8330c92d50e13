"""A Prefect server that does not answer when a run ends: the run waits for the server, so that its state is
reported."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from resources.machine.addresses import without_secrets
from resources.machine.proxies import for_requests

SECONDS = 900.0
"""The end of a run waits for its server at most this long. Prefect itself tries for a minute to set the state of a run;
after that the server would show the run as still running."""
EVERY_SECONDS, ANSWER_SECONDS = 3.0, 5.0


def wait_for_server(
    url: str, say: Callable[[str], None], seconds: float = SECONDS, every_seconds: float = EVERY_SECONDS
) -> bool:
    """Wait until the API at ``url`` answers; whether it does. say: gets a sentence when the wait begins and when it
    ends."""
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

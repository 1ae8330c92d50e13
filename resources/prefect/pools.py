"""The work pools of a Prefect server: a check before a worker starts.

Prefect's own worker creates a pool that does not exist. With a misspelt name it would wait for ever.
"""

from __future__ import annotations

from difflib import get_close_matches

from orchestration.core.errors import RunError, UsageError
from resources.machine.addresses import without_secrets
from resources.prefect.client import open_api, what_failed

POOL_TYPE = "process"
"""The type of our work pools: each run is a process of its own."""
NAMED = 5
"""A message names at most this many pools, where no name is close to the misspelt one."""


def check_pool(url: str, name: str) -> None:
    """Raises UsageError where the server at ``url`` has no work pool of this name, or has one of another type; RunError
    where the server fails."""
    try:
        with open_api(url) as api:
            kinds = {item["name"]: item["type"] for item in api.all("/work_pools/filter", {})}
    except Exception as error:
        if not (wrong := what_failed(error)):
            raise
        raise RunError(f"Prefect's server at {without_secrets(url)} {wrong}", "Call the command again.") from None
    if name not in kinds:
        raise UsageError(f"there is no work pool {name!r} at {without_secrets(url)}", _nearest(name, list(kinds)))
    if kinds[name] != POOL_TYPE:
        raise UsageError(
            f"the work pool {name!r} is of type {kinds[name]}, and this worker runs processes",
            f"Name one of type {POOL_TYPE}.",
        )


def _nearest(name: str, known: list[str]) -> str:
    made = "`aqi deploy --all` makes those of the configuration"
    if near := get_close_matches(name, known, n=3):
        return f"Did you mean {' or '.join(map(repr, near))}? Else {made}."
    if not known:
        return f"There is none yet: {made}."
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return f"There are {', '.join(sorted(known)[:NAMED])}{more}; {made}."

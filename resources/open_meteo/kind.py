"""Whether the server at an address makes up its values: asked without a request for values."""

from __future__ import annotations

from urllib.parse import urlsplit

from orchestration.core.source import REAL, SIMULATED
from resources.machine.proxies import for_requests
from resources.open_meteo.hosts import is_the_providers
from resources.open_meteo.made_up import MARK, PATH

SECONDS = 3.0
NO_SUCH_QUESTION = (404, 405, 501)


def kind_at(url: str) -> str:
    """``REAL`` or ``SIMULATED``; empty where no server answers, or some of the values are made up. Never raises.

    The provider's own hosts are not asked. The question is an OPTIONS, not a GET: a server that replays recorded
    answers in turn would give one of them to a GET.
    """
    import requests

    if is_the_providers(urlsplit(url).hostname or ""):
        return REAL
    at = f"{url.rstrip('/')}{PATH}"
    try:
        answer = requests.options(at, timeout=SECONDS, proxies=for_requests(at), allow_redirects=False)
    except (requests.RequestException, ValueError):
        return ""
    if answer.status_code in NO_SUCH_QUESTION:
        return REAL
    try:
        said = answer.json()[MARK] if answer.ok else None
    except (ValueError, TypeError, LookupError):
        return ""
    return "" if said is None else SIMULATED if said is True else REAL

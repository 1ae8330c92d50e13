"""A check, before any work and with one request, whether the configured Prefect server can be worked with.

No message contains the secrets of an address. Prefect is imported only if that request fails: then Prefect's own
client, with all of its settings, decides.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from json import JSONDecodeError
from urllib.parse import urlsplit

import requests

from orchestration.core.errors import MachineError
from resources.machine.addresses import without_secrets
from resources.machine.proxies import for_requests, settle
from resources.prefect.client import open_api, wrong_answer
from resources.prefect.home import prefect_version

SECONDS = 5.0
PATIENCE_SECONDS = 20.0
"""How long Prefect's own client waits for a server that is busy."""
RETRIES = 2
VERSION = "/admin/version"
ON_CLOUD = "/flows/count"
"""A request that Prefect Cloud answers to anyone with a key. The version of Prefect Cloud does not matter."""
ENDS_WITH = "PREFECT_API_URL is that of an API: http://127.0.0.1:4200/api."
GIVE_A_KEY = "Set PREFECT_API_KEY (Prefect Cloud) or PREFECT_API_AUTH_STRING (a server of your own)."
_RUN_WITHOUT = re.compile("[,;] or [^,;]* to run without[.]")
_CERTIFICATE, _NO_TLS = "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER"


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a server. what: the end of a sentence that begins with the server's address. remedy: what to
    do."""

    what: str
    remedy: str


def check_reachable(url: str) -> None:
    """Raises MachineError where there is no way to the API at ``url``, or the API does not answer, is not Prefect's,
    refuses the key, or is of a version that this Prefect cannot work with."""
    settle(url)
    if wrong := what_is_wrong(url):
        raise MachineError(f"Prefect's server at {without_secrets(url)} {wrong.what}", wrong.remedy)


def what_is_wrong(url: str) -> Wrong | None:
    """Why the API at ``url`` cannot be worked with; None where it can."""
    if is_cloud(url):
        return _by_prefect(url)
    try:
        found = _asked(url)
    except requests.exceptions.SSLError:
        return _by_prefect(url)  # Prefect's client may trust other certificates
    except requests.ConnectionError as error:  # and its subclasses: no server is there
        return _away(type(error).__name__)
    except (requests.RequestException, ValueError):
        return _by_prefect(url)
    return _of_version(found) if _is_version(found) else _by_prefect(url)


def where_one_is_needed(remedy: str) -> str:
    """A remedy for an operation that needs a server, as deploying: without the advice to run without one."""
    return _RUN_WITHOUT.sub(", or name another in PREFECT_API_URL.", remedy)


def is_cloud(url: str) -> bool:
    """Whether an API is that of Prefect Cloud."""
    return (urlsplit(url).hostname or "").endswith(".prefect.cloud")


def version_of(url: str) -> str:
    """The version of the server at ``url``; empty where the server does not say."""
    try:
        found = _asked(url)
    except (requests.RequestException, ValueError):
        return ""
    return found if _is_version(found) else ""


def _asked(url: str) -> str:
    """The text that the server gives as its version; empty where it gives none. Raises RequestException, ValueError."""
    root = url.rstrip("/")
    answer = requests.get(
        f"{root}{VERSION}", timeout=SECONDS, proxies=for_requests(root), headers=_key(), allow_redirects=False
    )
    said = answer.json() if answer.ok else None
    return said if isinstance(said, str) else ""


def _key() -> dict[str, str]:
    """The header with the key of the environment, as Prefect's client sends it. Empty without a key."""
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if text := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}
    return {}


def _is_version(found: str) -> bool:
    return found[:1].isdigit() and len(found) <= 40


def _of_version(found: str) -> Wrong | None:
    ours = prefect_version()
    if found.partition(".")[0] == ours.partition(".")[0]:
        return None
    return Wrong(
        f"is Prefect {found}, and this machine's client is {ours}: they do not work together",
        f"Name a server of Prefect {ours.partition('.')[0]}, or unset PREFECT_API_URL to run without.",
    )


def _away(why: str) -> Wrong:
    unset = "unset PREFECT_API_URL" if os.environ.get("PREFECT_API_URL") else "`prefect config unset PREFECT_API_URL`"
    return Wrong(f"does not answer ({why})", f"Start it (prefect server start), or {unset} to run without.")


def _by_prefect(url: str) -> Wrong | None:
    """What is wrong with the API, as Prefect's own client finds it; None where nothing is."""
    from httpx import HTTPStatusError, InvalidURL, RequestError, UnsupportedProtocol

    try:
        with open_api(url, retries=RETRIES, timeout_seconds=PATIENCE_SECONDS) as api:
            if is_cloud(url):
                return None if isinstance(api.ask("POST", ON_CLOUD, {}), int) else _no_prefect(url)
            found = api.ask("GET", VERSION)
    except HTTPStatusError as error:
        return _of_status(url, error.response.status_code, wrong_answer(error))
    except (InvalidURL, UnsupportedProtocol):  # their text may repeat a part of a password
        return Wrong("cannot be asked: this is no address", ENDS_WITH)
    except RequestError as error:
        return _of_connection(url, str(error), type(error).__name__)
    except JSONDecodeError:
        return _no_prefect(url)
    return _of_version(found) if isinstance(found, str) and _is_version(found) else _no_prefect(url)


def _of_status(url: str, status: int, what: str) -> Wrong:
    if status == requests.codes.unauthorized:
        return Wrong(f"refuses the key ({status})", GIVE_A_KEY)
    if status == requests.codes.forbidden:
        return Wrong(f"forbids {what.partition(' to ')[2]} ({status})", GIVE_A_KEY)
    if status < requests.codes.internal_server_error:
        return _no_prefect(url, f" (it answers {what})")
    return Wrong(f"answers {what}", "See its log; or unset PREFECT_API_URL to run without.")


def _of_connection(url: str, said: str, kind: str) -> Wrong:
    if _CERTIFICATE in said:
        return Wrong(
            "has a certificate that is not trusted here",
            "Name the file with that of its authority in PREFECT_API_SSL_CERT_FILE.",
        )
    if _NO_TLS in said:
        plain = f"http://{without_secrets(url).partition('://')[2]}"
        return Wrong("does not speak TLS", f"Is it {plain}? Then let PREFECT_API_URL say so.")
    return _away(kind)


def _no_prefect(url: str, why: str = "") -> Wrong:
    """The finding that a server answers, but not as Prefect does. The remedy names ``url``/api where that is an API."""
    further = f"{url.rstrip('/')}/api"
    remedy = f"Did you mean {without_secrets(further)}?" if _is_well(further) else ENDS_WITH
    return Wrong(f"does not answer as Prefect's API does{why}", remedy)


def _is_well(root: str) -> bool:
    """Whether the API at ``root`` says that it is healthy. Prefect's API says so without a key."""
    try:
        answer = requests.get(f"{root}/health", timeout=SECONDS, proxies=for_requests(root), allow_redirects=False)
        return answer.ok and answer.json() is True
    except (requests.RequestException, ValueError):
        return False

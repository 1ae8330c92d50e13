"""The section ``openlineage`` of the settings, and OpenLineage's standard variables of the environment.

These standard variables are read: OPENLINEAGE_DISABLED, OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY,
OPENLINEAGE_NAMESPACE, and OPENLINEAGE_CONFIG, the path of a configuration file of OpenLineage's clients. Other
variables are ignored, and so are the files that those clients look for by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from orchestration.core.errors import ConfigurationError
from resources.machine.proxies import check_way
from resources.settings.section import Section, an_http_url
from resources.settings.yaml_text import ImpossibleValue, NotYaml, read_yaml

LONGEST_SECONDS = 60
CONFIG = "OPENLINEAGE_CONFIG"
_OUR_WAYS = ("AQI_OPENLINEAGE__URL", "AQI_OPENLINEAGE__FILE")
"""If one of these variables is set, the standard variables set no other way."""
_ENDPOINT = "api/v1/lineage"
_ALONE: dict[str, Any] = {"file": None, "endpoint": _ENDPOINT, "api_key": None}
"""Keys that are reset where a standard variable or file names the address: what profiles say of them was for another
address."""
_A_KEY = re.compile("[!-~]+")
_KEYS = {
    "http": {"url", "endpoint", "timeout", "auth"},
    "file": {"log_file_path", "append"},
    "noop": set[str](),
}
"""Type of a transport → the keys that a file of OPENLINEAGE_CONFIG may have for it."""


def _a_receiver(url: str) -> str:
    url = an_http_url(url)
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for a port that is no number, or out of bounds
    except ValueError as error:
        raise ValueError("must be an address like http://lineage.example.org:5000") from error
    if not parts.hostname or port == 0 or re.search(r"\s", url):
        raise ValueError("must be an address like http://lineage.example.org:5000")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user, password, query or fragment: a key goes into api_key")
    return url


def _a_path(endpoint: str) -> str:
    if "://" in endpoint or not endpoint.strip("/") or re.search(r"[\s?#]", endpoint):
        raise ValueError("must be a path, as api/v1/lineage")
    return endpoint.strip("/")


def _a_template(url: str) -> str:
    url = an_http_url(url)
    if "{path}" not in url or set(re.findall("{.*?}", url)) - {"{path}", "{version}"}:
        raise ValueError("must have {path}, and may have {version}, where they stand in an address")
    return url


class OpenLineageSettings(Section):
    """Where the events of runs go, with what they read and wrote. No events are sent unless url or file is set."""

    url: Annotated[str, AfterValidator(_a_receiver)] | None = None
    """Address of the receiver."""
    endpoint: Annotated[str, AfterValidator(_a_path)] = _ENDPOINT
    """Path at the receiver."""
    api_key: SecretStr | None = None
    """Bearer token for the receiver."""
    file: str | None = Field(None, min_length=1)
    """File to which events are appended, one per line."""
    namespace: str = Field("default", min_length=1)
    """OpenLineage namespace of the jobs."""
    timeout_seconds: float = Field(5, gt=0, le=LONGEST_SECONDS)
    """How long a receiver may take for one event, and how long the events may delay the end of a run in all."""
    disabled: bool = False
    """Send nothing, whatever the other settings are."""
    source_url: Annotated[str, AfterValidator(_a_template)] | None = None
    """Address of the source code, with ``{path}`` and, if wanted, ``{version}``."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.url is not None and self.file is not None:
            raise ValueError("url and file must not both be said (set one of them to null): events go one way")
        return self

    @property
    def way(self) -> Literal["off", "http", "file"]:
        """How events are sent."""
        if self.disabled or (self.url is None and self.file is None):
            return "off"
        return "http" if self.url is not None else "file"

    def as_environment(self) -> dict[str, str]:
        """These settings as variables of the environment, for another process. The key is among them."""
        said = {**self.model_dump(), "api_key": None if self.api_key is None else self.api_key.get_secret_value()}
        return {f"AQI_OPENLINEAGE__{key.upper()}": _as_text(value) for key, value in said.items()}

    def check(self) -> None:
        """Raises UsageError where events cannot be sent because of this machine or the settings: no way to the
        receiver, a key that no header can have, a file that cannot be written."""
        if self.way == "http":
            assert self.url is not None
            check_way(self.url)
        if self.way == "http" and self.api_key is not None and not _A_KEY.fullmatch(self.api_key.get_secret_value()):
            raise ConfigurationError(
                "openlineage.api_key has characters that no header can have", "Look for spaces and line breaks."
            )
        if self.way == "file":
            assert self.file is not None
            path = Path(self.file).expanduser()
            there = path if path.exists() else path.parent
            if path.is_dir() or not there.exists() or not os.access(there, os.W_OK):
                why = "is a folder" if path.is_dir() else "cannot be written" if there.exists() else "has no folder"
                raise ConfigurationError(f"openlineage.file: {path} {why}", "Name a file that can be written.")


def _as_text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def standard_settings(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """The settings in OpenLineage's standard variables: key of the section → (value, where it is set).

    Precedence, as in OpenLineage's own clients: a transport of OPENLINEAGE_CONFIG, then OPENLINEAGE_URL. Our own
    variables for url and file come before both. A key is used only for the address that is set beside it. Raises
    ConfigurationError for a file that cannot be read, or has keys that are unknown here.
    """
    said: dict[str, tuple[Any, str]] = {}

    def take(key: str, variable: str, value: Any = None) -> None:
        if text := environment.get(variable, "").strip():
            said[key] = (text if value is None else value, f"the environment ({variable})")

    take("namespace", "OPENLINEAGE_NAMESPACE")
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        take("disabled", "OPENLINEAGE_DISABLED", True)
    ours = any(environment.get(name, "").strip() for name in _OUR_WAYS)
    if not ours and (path := environment.get(CONFIG, "").strip()):
        of_file = _of_file(Path(path).expanduser())
        if of_file:
            return said | {key: (value, f"{path} ({CONFIG})") for key, value in of_file.items()}
    theirs = bool(environment.get("OPENLINEAGE_URL", "").strip())
    if theirs and not ours:
        take("url", "OPENLINEAGE_URL")
        said |= {key: (value, said["url"][1]) for key, value in _ALONE.items()}
    if not (theirs and ours):
        take("endpoint", "OPENLINEAGE_ENDPOINT")
        take("api_key", "OPENLINEAGE_API_KEY")
    return said


def _of_file(path: Path) -> dict[str, Any]:
    """The transport in a configuration file of OpenLineage's clients, as keys of the section. Empty without a
    transport."""
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{CONFIG}: {path} cannot be read ({error.strerror})", "Check the path.") from error
    except ImpossibleValue as error:
        raise ConfigurationError(f"{CONFIG}: {path}: {error}", "Correct the file.") from None
    except (NotYaml, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{CONFIG}: {path} is not YAML ({error})", "Correct the file.") from None
    transport = data.get("transport") if isinstance(data, dict) else None
    if transport is None:
        return {}
    kind = transport.get("type") if isinstance(transport, dict) else None
    if kind not in _KEYS:
        raise ConfigurationError(
            f"{CONFIG}: {path}: transport.type must be {', '.join(_KEYS)} (got {kind!r})",
            "Send events to a file or over HTTP, and from there where they should go.",
        )
    if unknown := sorted(map(str, transport.keys() - _KEYS[kind] - {"type"})):
        raise ConfigurationError(
            f"{CONFIG}: {path}: transport.{unknown[0]} is not known here",
            f"Known are {', '.join(sorted(_KEYS[kind])) or 'no keys'}; leave it out.",
        )
    if kind == "noop":
        return {"disabled": True}
    if kind == "file":
        return {"file": transport.get("log_file_path"), "url": None}
    found = _ALONE | {"url": transport.get("url"), "endpoint": transport.get("endpoint", _ENDPOINT)}
    if "timeout" in transport:
        found["timeout_seconds"] = transport["timeout"]
    if auth := transport.get("auth"):
        found["api_key"] = _key(auth, path)
    return found


def _key(auth: Any, path: Path) -> Any:
    known = isinstance(auth, dict) and auth.get("type") == "api_key"
    key = next((auth[name] for name in ("apiKey", "apikey", "api_key") if auth.get(name)), None) if known else None
    if key is None:
        raise ConfigurationError(
            f"{CONFIG}: {path}: transport.auth must be of type api_key, with apiKey",
            "Other kinds of authentication are not known here.",
        )
    return str(key)

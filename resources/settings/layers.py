"""The layers of settings: files, the profile, the environment, flags. Merges them, and remembers which one set a value.

Must not know: which settings exist. Values stay as they were written; the models of ``load`` parse and validate them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration.core.errors import ConfigurationError
from resources.openlineage.settings import standard_settings
from resources.settings.yaml_text import ImpossibleValue, NotYaml, read_yaml

ENVIRONMENT_PREFIX = "AQI_"
ENGINE_VARIABLE = "AQI_ENGINE"
NOT_SETTINGS = frozenset(
    {
        "AQI_PROFILE",
        "AQI_REQUIRE_SHARED",
        "AQI_REQUIRE_BROWSER",
        "AQI_IVY_SETTINGS",
        "AQI_CRASH_POINT",
        "AQI_RUN_ID",
        "AQI_WORKER_FOLDER",
    }
)

HERE = Path("config")
"""A folder below the current one. A profile in it is found by its name, as the profiles of the project are."""

Origins = dict[tuple[str, ...], str]
"""The path of a key, for instance ``("warehouse", "uri")`` → the file, variable or command line that set its value."""


def values_of(
    folder: Path, files: Sequence[str], profile: str, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> tuple[dict[str, Any], Origins]:
    """The values that the layers set, and their origins. A later layer overrides an earlier one. For the arguments see
    ``load.load``.

    Raises ConfigurationError for a profile that does not exist, a file that cannot be read, a variable that starts as a
    setting does and names none, or a value that cannot be.
    """
    values: dict[str, Any] = {}
    origins: Origins = {}
    for path in [*(folder / file for file in files), _profile_path(profile, folder, files)]:
        _merge(values, _read_yaml(path), str(path), origins)
    for key, (value, origin) in standard_settings(environment).items():
        _merge(values, {"openlineage": {key: value}}, origin, origins)
    for variable, text in sorted(environment.items()):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NOT_SETTINGS:
            if "__" not in variable and variable != ENGINE_VARIABLE:
                raise ConfigurationError(
                    f"the environment: {variable} is no setting",
                    "Settings are AQI_<SECTION>__<KEY>, with two underscores: AQI_WAREHOUSE__URI.",
                )
            section, *keys = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _merge(values, _nested([section, *keys], _value(text, variable)), f"the environment ({variable})", origins)
    _merge(values, dict(flags), "the command line", origins)
    return values, origins


def _profile_path(name: str, folder: Path, files: Sequence[str]) -> Path:
    """The file of a profile. Raises ConfigurationError where no such file exists."""
    if name.endswith((".yml", ".yaml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise ConfigurationError(f"profile: there is no file {name}", "Name a YAML file that exists.")
        return path
    ours = {path.stem: path for path in folder.glob("*.yml") if path.name not in files}
    here = HERE / f"{name}.yml"
    if name not in ours and not (here.is_file() and here.name not in files):
        raise ConfigurationError(
            f"profile: {name!r} is unknown", f"Profiles are {', '.join(sorted(ours))}, or the path of a YAML file."
        )
    return ours.get(name, here)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    except ImpossibleValue as error:
        raise ConfigurationError(f"{path}: {error}", "Correct the file.") from None
    except (NotYaml, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not YAML: {error}", "Correct the file.") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}: must hold sections (got a {type(data).__name__})")
    return data


def _value(text: str, variable: str) -> Any:
    """The value of an environment variable. Raises ConfigurationError for YAML with a value in it that cannot
    be, and for what is not UTF-8.

    ``""`` and ``null`` are None; a text that starts with ``[`` or ``{`` is YAML; any other text stays as it is. The
    models parse numbers and instants themselves: YAML would turn the API key ``0123`` into 83, and cut ``/a #b``.
    """
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigurationError(f"the environment ({variable}): is not UTF-8", "Correct the value.") from None
    if text in ("", "null"):
        return None
    if not text.startswith(("[", "{")):
        return text
    try:
        return read_yaml(text)
    except ImpossibleValue as error:
        raise ConfigurationError(f"the environment ({variable}): {error}", "Correct the value.") from None
    except NotYaml:
        return text


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    """``(["a", "b"], 1)`` → ``{"a": {"b": 1}}``."""
    return {keys[0]: _nested(keys[1:], value) if len(keys) > 1 else value}


def _merge(
    into: dict[str, Any],
    new: Mapping[str, Any],
    origin: str,
    origins: Origins,
    path: tuple[str, ...] = (),
) -> None:
    """Merge ``new`` into ``into``, key by key, and write into ``origins`` that ``origin`` set these values.

    path: of ``into`` within the settings.
    """
    for key, value in new.items():
        here = (*path, str(key))
        origins[here] = origin
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, origins, here)
        else:
            if isinstance(value, dict):
                _merge({}, value, origin, origins, here)
            into[key] = value

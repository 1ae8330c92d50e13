"""Code versions: a digest of everything that makes an asset's rows, ``2:<code part>:<settings part>``.

The code part is a digest of the asset's function and of all code of the project that it uses. Names of variables,
comments and annotations do not count (``reached``). The settings part is a digest of the mappings and of those
parameter values that the code reads. A function is given no other values (``arguments``).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

from orchestration.core.code.narrow import methods, narrowed, readable
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import Check
from orchestration.core.declarations.parameters import Parameters, value_at
from orchestration.core.json_value import JsonValue
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping, RunWindow
from orchestration.engine.code.reached import Form, form_of

SCHEME = "2"

WORDS: Mapping[type, str] = {Identity: "same", AllPartitions: "all", RunWindow: "run"}
"""The names of mappings in code versions. Another name here would make all tables of that mapping stale. A mapping that
is not listed goes by the name of its class."""

Used = Mapping[str, frozenset[str] | None]


class CodeVersions:
    """The code versions of all partitions, for some parameters. package: the package whose code counts.

    The version of a partition depends on the configuration of its own location only: a new location changes no other
    version.
    """

    def __init__(self, parameters: Parameters, package: str) -> None:
        self._parameters: Any = parameters
        self._package = package
        self._known: dict[tuple[int, str | None], tuple[Asset, str]] = {}  # with the asset, so that its id lasts
        self._code = _Code(package)

    def with_locations(self, locations: tuple[Location, ...]) -> CodeVersions:
        """The versions for the same parameters with other locations. What is known about the code is shared."""
        other: Parameters = replace(self._parameters, locations=locations)
        return self.with_parameters(other)

    def with_parameters(self, parameters: Parameters) -> CodeVersions:
        """The versions for other parameters. What is known about the code is shared."""
        other = CodeVersions(parameters, self._package)
        other._code = self._code
        return other

    def of(self, asset: Asset, location: str | None) -> str:
        """The version of the partitions of ``asset`` at ``location`` (None: unpartitioned)."""
        location = _counted(asset, location)
        found = self._known.get((id(asset), location))
        if found is None:
            found = asset, f"{SCHEME}:{self.code_part(asset)}:{self.settings_part(asset, location)}"
            self._known[id(asset), location] = found
        return found[1]

    def code_part(self, asset: Asset) -> str:
        """16 hexadecimal digits: a digest of the code, whatever the values of the parameters are."""
        return _digest(self.form(asset).text)

    def form(self, asset: Asset) -> Form:
        """The canonical form of the asset's code."""
        return self._code.of(asset, self._parameters)

    def settings_part(self, asset: Asset, location: str | None, without: Collection[str] = ()) -> str:
        """16 hexadecimal digits: a digest of ``settings``. without: parameters that are left out, as if the code did
        not read them."""
        return _digest(self._settings_text(asset, location, without))

    def settings(self, asset: Asset, location: str | None) -> Mapping[str, JsonValue]:
        """The mappings and the values that the code reads, at ``location``, under the keys ``mappings`` and
        ``parameters``."""
        found: Mapping[str, JsonValue] = json.loads(self._settings_text(asset, location))
        return found

    def _settings_text(self, asset: Asset, location: str | None, without: Collection[str] = ()) -> str:
        location = _counted(asset, location)
        used = self.used(asset)
        values = {}
        for name in asset.parameters:
            if name in without:
                continue
            value = getattr(self._parameters, name)
            if name == "locations" and location is not None:
                value = tuple(one for one in value if one.key == location)
            values[name] = _counts(value, used[name])
        settings = {"mappings": [self._mapping(mapping) for mapping in asset.upstream], "parameters": values}
        return json.dumps(settings, default=_plain, sort_keys=True)

    def all_settings(self, assets: Iterable[Asset]) -> dict[str, Mapping[str, JsonValue]]:
        """Settings part → settings, for all assets at all configured locations."""
        found: dict[str, Mapping[str, JsonValue]] = {}
        for asset in assets:
            for location in {_counted(asset, location.key) for location in self._parameters.locations} or {None}:
                text = self._settings_text(asset, location)
                if (digest := _digest(text)) not in found:
                    found[digest] = json.loads(text)
        return found

    def _mapping(self, mapping: PartitionMapping) -> list[Any]:
        """What a mapping says. Fields with their default are left out, so that a new field makes no table stale."""
        described: Any = mapping
        said = {field: getattr(mapping, field.name) for field in fields(described)}
        state = {field.name: value for field, value in said.items() if value != field.default}
        value = None if mapping.window is None else value_at(self._parameters, mapping.window.at_least)
        return [WORDS.get(type(mapping), type(mapping).__name__), mapping.of, state, value]

    def used(self, asset: Asset) -> Used:
        """Parameter → the attributes that the code reads of it (for a tuple: of each item); None: all of them."""
        return _used(self.form(asset), asset, self._parameters)

    def arguments(self, asset: Asset, parameters: Parameters | None = None) -> dict[str, Any]:
        """The keyword arguments for the asset's function: exactly what its version counts."""
        given = parameters or self._parameters
        used = _used(self._code.of(asset, given), asset, given)
        return {name: narrowed(getattr(given, name), used[name]) for name in asset.parameters}

    def check_version(self, check: Check) -> str:
        """8 hexadecimal digits: a digest of what a check counts, and of whether it blocks."""
        return self._code.of_check(check)


class _Code:
    """Canonical forms of code; each is made once."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._forms: dict[Any, Form] = {}
        self._checks: dict[tuple[Any, bool], str] = {}
        self._reading = threading.RLock()

    def of(self, asset: Asset, parameters: Parameters) -> Form:
        """The form of the asset's function, and of the classes of parameters whose methods it may call."""
        kinds = {name: _kinds(getattr(parameters, name)) for name in asset.parameters}
        key = (asset.function, tuple(sorted((name, *map(id, found)) for name, found in kinds.items())))
        with self._reading:
            found = self._forms.get(key)
            if found is None:
                found = self._forms[key] = self._made(asset, kinds)
            return found

    def _made(self, asset: Asset, kinds: Mapping[str, tuple[type, ...]]) -> Form:
        roots: list[Any] = [asset.function]
        while True:
            form = form_of(roots, self._package)
            called = [
                kind
                for name in sorted(kinds)
                for kind in kinds[name]
                if kind not in roots and (form.whole or form.attributes & methods(kind))
            ]
            if not called:
                return form
            roots += dict.fromkeys(called)

    def of_check(self, check: Check) -> str:
        with self._reading:
            key = (check.count, check.blocking)
            found = self._checks.get(key)
            if found is None:
                form = form_of([check.count], self._package)
                found = self._checks[key] = _digest(f"{form.text}\nblocking={check.blocking}")[:8]
            return found


def _counted(asset: Asset, location: str | None) -> str | None:
    """The location on which the version depends; None where it depends on none."""
    return location if "locations" in asset.parameters and asset.partitions is not None else None


def _used(form: Form, asset: Asset, parameters: Parameters) -> Used:
    return {name: _used_of(form, getattr(parameters, name)) for name in asset.parameters}


def _used_of(form: Form, value: Any) -> frozenset[str] | None:
    kinds = _kinds(value)
    if not kinds or form.whole or any(form.attributes & methods(kind) for kind in kinds):
        return None
    return form.attributes & {name for kind in kinds for name in readable(kind)}


def _kinds(value: Any) -> tuple[type, ...]:
    """The class of a dataclass, or the classes in a tuple of dataclasses; empty for any other value."""
    items = value if type(value) is tuple else (value,)
    if not all(is_dataclass(item) and not isinstance(item, type) for item in items):
        return ()
    return tuple(dict.fromkeys(type(item) for item in items))


def _counts(value: Any, used: frozenset[str] | None) -> Any:
    """The part of a value that a version counts."""
    if used is None:
        return value
    if type(value) is tuple:
        return [_counts(item, used) for item in value]
    return {name: getattr(value, name) for name in readable(type(value)) if name in used}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"a parameter holds a {type(value).__name__}, which has no lasting text")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

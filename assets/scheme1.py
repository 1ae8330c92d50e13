"""Code versions of scheme 1, as commit d35dc26 computed them, for any settings. Old warehouses have them in their
records.

``assets/scheme1.json`` keeps what that commit put into the digest for each asset: the text of its code, its mappings as
text, and the fields that its parameters had; and what its contract demanded of the columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assets.parameters import Parameters
from orchestration.core.declarations.contract import RowRule
from orchestration.core.declarations.parameters import value_at
from orchestration.core.partitions.location import Location

KEPT = Path(__file__).with_name("scheme1.json")
RULED = "silver.air_quality_hourly_clean"  # the parameter `row_rules` was the rules of its contract

Columns = tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Scheme1:
    """The content of ``scheme1.json``."""

    assets: Mapping[str, Mapping[str, Any]]
    """Asset key → what is kept of the asset."""
    rule_fields: tuple[str, ...]
    """The fields that a row rule had."""

    @classmethod
    def load(cls, path: Path = KEPT) -> Scheme1:
        """Read the file. Raises OSError or ValueError where it is missing or has changed."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(kept["assets"], tuple(kept["rule_fields"]))

    def version(
        self,
        asset_key: str,
        parameters: Parameters,
        location: str | None,
        locations: Sequence[Location] | None = None,
    ) -> str | None:
        """16 hexadecimal digits: the version of an asset's partitions at ``location``; None for an asset that was added
        later.

        locations: replaces those of ``parameters``.
        """
        kept = self.assets.get(asset_key)
        if kept is None:
            return None
        lines = list(kept["sources"])
        for mapping in kept["mappings"]:
            lines.append(mapping["text"])
            if mapping["at_least"] is not None:
                lines.append(repr(value_at(parameters, mapping["at_least"])))
        for name in sorted(kept["parameters"]):
            value: Any = getattr(parameters, name)
            if name == "locations":
                value = value if locations is None else locations
                if kept["by_location"] and location is not None:
                    value = [one for one in value if one.key == location]
            if name == "row_rules":
                value = self._rules_of_then(RULED, value)
            lines.append(f"{name} = {json.dumps(_plain(value, kept['parameters'][name]), sort_keys=True)}")
        return _digest("\n".join(lines))

    def shape(self, asset_key: str) -> tuple[Columns, tuple[str, ...]] | None:
        """The columns (name, type, nullable) and the key of the contract of that time; None for an asset that was added
        later."""
        kept = self.assets.get(asset_key)
        if kept is None:
            return None
        return tuple((name, kind, nullable) for name, kind, nullable in kept["columns"]), tuple(kept["key"])

    def parameters(self, asset_key: str) -> frozenset[str]:
        """The parameters that the asset's code read then; empty for an asset that was added later."""
        kept = self.assets.get(asset_key)
        return frozenset() if kept is None else frozenset(kept["parameters"])

    def contract(self, asset_key: str, rules: Iterable[RowRule]) -> str | None:
        """The digest of the contract of that time. rules: of today's contract."""
        shape = self.shape(asset_key)
        if shape is None:
            return None
        columns, key = shape
        demands = {
            "columns": columns,
            "key": key,
            "rules": [_plain(rule, self.rule_fields) for rule in self._rules_of_then(asset_key, rules)],
        }
        return _digest(json.dumps(demands, sort_keys=True))

    def _rules_of_then(self, asset_key: str, rules: Iterable[RowRule]) -> list[RowRule]:
        """Those of ``rules`` that are about columns of that time."""
        columns = {name for name, _, _ in self.assets[asset_key]["columns"]}
        return [rule for rule in rules if rule.column in columns and (rule.other is None or rule.other in columns)]


def _plain(value: Any, fields: Sequence[str] | None) -> Any:
    """A parameter as it was written into the digest: for a dataclass, the fields that it had."""
    if fields is None:
        return value
    if isinstance(value, tuple | list):
        return [_plain(item, fields) for item in value]
    return {name: getattr(value, name) for name in fields}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""Features that somebody gave a table, as far as they decide who can read the table and commit to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestration.core.state.damage import Trouble

READ = frozenset({"timestampNtz", "variantType", "variantType-preview", "variantShredding-preview"})
"""Reader features with which deltalake can read a table."""
READ_BY_SPARK = frozenset({"columnMapping", "typeWidening", "typeWidening-preview"})
"""Reader features with which only Spark can read a table."""
PLAIN_FEATURES = frozenset({"appendOnly", "checkConstraints", "invariants", "timestampNtz"})
INVARIANTS = "delta.invariants"
CHECKS_AND_INVARIANTS, BY_FEATURES = 3, 7
"""Versions of Delta's protocol for writers: up to the one all is known, from the other on features are listed."""


class Features(NamedTuple):
    """The features of a table."""

    writer: int
    """The writer version of Delta's protocol."""
    reading: frozenset[str]
    """The listed reader features."""
    writing: frozenset[str]
    """The listed writer features."""
    properties: Mapping[str, str]
    """The table's properties."""
    schema: str

    @classmethod
    def of_table(cls, table: Any) -> Features:
        """Those of a deltalake table."""
        protocol = table.protocol()
        reading, writing = (frozenset(of or ()) for of in (protocol.reader_features, protocol.writer_features))
        schema = table.schema().to_json()
        return cls(protocol.min_writer_version, reading, writing, table.metadata().configuration, schema)

    @classmethod
    def of_log(cls, protocol: str, properties: str, schema: str) -> Features:
        """Those that a log names; see ``TableState``."""
        said = json.loads(protocol)
        reading, writing = (frozenset(said.get(of) or ()) for of in ("readerFeatures", "writerFeatures"))
        return cls(int(said.get("minWriterVersion", 0)), reading, writing, json.loads(properties), schema)

    @property
    def mapping(self) -> str:
        """How names of columns are mapped to names in files; empty if they are the same."""
        mode = str(self.properties.get("delta.columnMapping.mode", "none")).lower()
        return "" if mode == "none" else mode

    @property
    def take_commits(self) -> bool:
        """Whether deltalake can safely commit rows to the table, whatever others did to it."""
        if any(name.startswith("delta.constraints.") for name in self.properties) or INVARIANTS in self.schema:
            return False  # it plans such expressions by a dialect of its own, which has not all functions of Spark's
        known = self.writer <= CHECKS_AND_INVARIANTS or self.writer == BY_FEATURES
        return known and self.reading | self.writing <= PLAIN_FEATURES and not self.mapping


def trouble_of(key: str, features: Features, *, spark: bool) -> Trouble | None:
    """Why the table of an asset cannot be read or written; None if it can. spark: whether Spark reads and writes it."""
    foreign = sorted(features.reading - READ - (READ_BY_SPARK if spark else frozenset()))
    if features.mapping and not spark:
        foreign = sorted({*foreign, "columnMapping"})
    rebuild = f"`aqi repair {key} --rebuild` makes it anew without"
    if foreign:
        what = f"others gave the table of {key} a feature with which it cannot be read: {', '.join(foreign)}"
        return Trouble(what, f"{rebuild}.")
    if spark or features.take_commits:
        return None
    others = sorted((features.reading | features.writing) - PLAIN_FEATURES)
    others += sorted(name for name in features.properties if name.startswith("delta.constraints."))
    named = ", ".join(others) or f"version {features.writer} of the protocol for writers"
    what = f"others gave the table of {key} a feature with which only Spark can write it: {named}"
    return Trouble(what, f"{rebuild}; or write it by Spark: --engine spark.", readable=True)

"""Name-based identifiers: UUID version 5 (RFC 9562) of a row's key, in built-in functions."""

from __future__ import annotations

import uuid

from pyspark.sql import Column
from pyspark.sql import functions as F

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "air-quality-lakehouse")


def identifier(asset_key: str, *parts: Column) -> Column:
    """The UUIDv5 of ``parts`` joined with ``|``, in the namespace of the table ``asset_key``.

    parts: strings; see ``iso_instant`` and ``iso_day`` for timestamps and dates.
    """
    namespace = uuid.uuid5(NAMESPACE, asset_key)
    name = F.encode(F.concat_ws("|", *parts), "UTF-8")
    digest = F.sha1(F.concat(F.lit(bytearray(namespace.bytes)), name))
    variant = F.translate(F.substring(digest, 17, 1), "0123456789abcdef", "89ab" * 4)
    return F.concat(
        F.substring(digest, 1, 8),
        F.lit("-"),
        F.substring(digest, 9, 4),
        F.lit("-5"),
        F.substring(digest, 14, 3),
        F.lit("-"),
        variant,
        F.substring(digest, 18, 3),
        F.lit("-"),
        F.substring(digest, 21, 12),
    )


def iso_instant(column: str) -> Column:
    """A timestamp as ``2025-08-08T06:00:00Z``; the session's time zone must be UTC."""
    return F.date_format(F.col(column), "yyyy-MM-dd'T'HH:mm:ss'Z'")


def iso_day(column: str) -> Column:
    """A date as ``2025-08-08``."""
    return F.date_format(F.col(column), "yyyy-MM-dd")

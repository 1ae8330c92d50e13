"""What a RANGE of days applies to: assets that have days. This is the one rule of all commands with ``--partitions``.

``wipe`` and ``repair`` leave out assets without days. ``materialize``, ``backfill`` and ``plan`` include such an
asset where it is not fresh, as assets with days may need it; ``status`` and ``verify`` do for the same reason. Where
no selected asset has days, a RANGE has no meaning and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.errors import UsageError


def in_range(catalog: Catalog, keys: Sequence[str], days: str | None, remedy: str = "") -> tuple[str, ...]:
    """Those of ``keys`` that a RANGE applies to. All of them where ``days`` is None, as then no RANGE was given.

    remedy: what to do where the RANGE did not come from ``--partitions``. Raises UsageError where none of ``keys`` has
    days.
    """
    if days is None:
        return tuple(keys)
    found = tuple(key for key in keys if catalog[key].partitions is not None)
    if keys and not found:
        what = f"{keys[0]} has" if len(keys) == 1 else f"{', '.join(keys[:-1])} and {keys[-1]} have"
        raise UsageError(
            f"{what} no partitions: a range of days means nothing there", remedy or f"Leave out --partitions {days}."
        )
    return found

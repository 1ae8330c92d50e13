"""What a RANGE of days is about: what has days, and nothing else. The one rule of all commands that take one.

``wipe``, ``repair`` and ``verify`` leave out what has no days; ``materialize``, ``backfill`` and ``plan`` make it
along where it is not fresh, as what has days may need it, and ``status`` tells of it for the same reason. Where
nothing that is selected has days, a RANGE means nothing, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.errors import UsageError


def in_range(catalog: Catalog, keys: Sequence[str], days: str | None, remedy: str = "") -> tuple[str, ...]:
    """Those of ``keys`` that a RANGE is about; all of them where ``days`` is None, as none was given.

    remedy: where it was not given by --partitions. Raises UsageError where none of ``keys`` has days.
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

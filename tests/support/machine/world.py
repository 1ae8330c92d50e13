"""What runs of the model find: the provider, the clock, and the code as it is deployed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.freshness import Current
from tests.support.machine.deployed import BLOCK_HOURS, HOME, KEYS, LAKE, Code, Known, Rows, digest_of
from tests.support.machine.rows import transform


@dataclass
class World:
    """The provider, the clock and the code as they are now; they change while runs go on.

    feed: per day and town the provider's blocks (block, aqi, pm), also those that lie ahead of the clock.
    """

    feed: dict[PartitionKey, Rows]
    now: datetime
    code: Code = field(default_factory=Code)

    def current(self) -> Current:
        code = self.code
        contracts = {asset: digest_of(asset, form) for asset, form in code.forms.items()}
        return Current(code.version, contracts, self.now, history=Known(code), configured=code.configured)

    def sent(self, key: PartitionKey, code: Code | None = None) -> Rows:
        """What the provider sends of a day now: blocks that have begun; a town that lies far from home has other dust.

        code: the settings of who asks, those of now by default.
        """
        begun, far = hours_begun(key, self.now), int((code or self.code).locations[str(key.location)] - HOME)
        return tuple(
            (block, aqi, None if dust is None else dust + far)
            for block, aqi, dust in self.feed.get(key, ())
            if block * BLOCK_HOURS < begun
        )

    @property
    def until_today(self) -> PartitionSet:
        return PartitionSet.from_keys(
            key
            for key in KEYS
            if key.location in self.code.towns and key.day is not None and key.day <= self.now.date()
        )

    @property
    def asked(self) -> PartitionSet:
        """All that can be asked for: days until today at configured towns."""
        return self.until_today.restrict(locations=self.code.configured)


def hours_begun(key: PartitionKey, now: datetime) -> int:
    """How many hours of a day have begun, 1 more once it is over."""
    assert key.day is not None
    since = now - datetime.combine(key.day, time(), UTC)
    return max(0, min(25, since // timedelta(hours=1) + 1))


def rebuilt(world: World) -> dict[str, dict[PartitionKey, Rows]]:
    """All tables at configured towns, made anew and whole from what the provider sends now."""
    tables: dict[str, dict[PartitionKey, Rows]] = {"raw": {key: world.sent(key) for key in world.asked}}
    for asset in LAKE.keys:
        tables[asset] = transform(asset, tables, world.code)
    return tables

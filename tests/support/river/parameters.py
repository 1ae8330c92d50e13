"""What the configuration says about rivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.location import Location


@dataclass(frozen=True)
class AlarmRule:
    """A flood: at least ``min_hours`` adjacent hours with a level of at least ``level`` metres."""

    level: Annotated[float, Field(gt=0)] = 4.0
    min_hours: Annotated[int, Field(ge=1)] = 3

    @property
    def code(self) -> str:
        return f"level>={self.level:g}m_{self.min_hours}h"


@dataclass(frozen=True)
class Gauging:
    """What gauges can show. crest: the top of the staff; highest: what no river reaches. In metres."""

    crest: float = 9.0
    highest: float = 20.0


@dataclass(frozen=True)
class Parameters:
    """All parameters that an asset may ask for."""

    locations: tuple[Location, ...]
    alarm_rule: AlarmRule
    gauging: Gauging
    row_rules: tuple[RowRule, ...] = ()

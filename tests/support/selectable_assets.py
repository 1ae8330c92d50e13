"""Assets to select from."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.core.declarations.dag import Dag


@dataclass(frozen=True)
class Assets:
    """A universe: keys are ``layer.table``; tags by key."""

    dag: Dag
    tags: dict[str, tuple[str, ...]]

    @property
    def keys(self) -> tuple[str, ...]:
        return self.dag.nodes

    def layer_of(self, key: str) -> str:
        return key.partition(".")[0]

    def tags_of(self, key: str) -> tuple[str, ...]:
        return self.tags.get(key, ())


LAKE = Assets(
    Dag(
        {
            "bronze.hourly": (),
            "silver.clean": ("bronze.hourly",),
            "silver.quarantine": ("bronze.hourly",),
            "gold.dim_date": (),
            "gold.fact_hourly": ("silver.clean", "gold.dim_date"),
            "gold.fact_city_daily": ("gold.fact_hourly",),
            "gold.fact_episode": ("gold.fact_hourly",),
        }
    ),
    {
        "gold.fact_city_daily": ("daily", "fact"),
        "gold.fact_episode": ("fact",),
        "gold.fact_hourly": ("fact",),
        "bronze.hourly": ("source",),
    },
)

BRONZE, DATE = "bronze.hourly", "gold.dim_date"
CLEAN, QUARANTINE = "silver.clean", "silver.quarantine"
HOURLY, DAILY, EPISODE = "gold.fact_hourly", "gold.fact_city_daily", "gold.fact_episode"
ALL = (BRONZE, DATE, CLEAN, QUARANTINE, HOURLY, DAILY, EPISODE)

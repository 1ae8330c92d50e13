"""What all steps of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.planning.plan import Plan
from orchestration.core.source import Source
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.history import WarehouseHistory
from orchestration.engine.engines.engine import Engine
from orchestration.engine.folding import Folding
from orchestration.engine.profiling import Spans
from resources.delta.warehouse import Warehouse
from resources.raw.moments import Moments


@dataclass(frozen=True)
class RunContext:
    """What all steps of a run share.

    engine: gives it, waits until it is ready. tables: the states on which the plan was made; current: the code,
    contracts and moment of the run. history: of the warehouse. arguments: what an asset's function gets by keyword.
    sources: by name. folding: folds what they send into the tables. moments: when they were asked in vain.
    spans: measure what the steps spend their time on.
    """

    run_id: str
    plan: Plan
    catalog: Catalog
    contracts: Mapping[str, Contract]
    parameters: Parameters
    warehouse: Warehouse
    tables: Mapping[str, TableState]
    current: Current
    engine: Callable[[], Engine]
    history: WarehouseHistory
    arguments: Callable[[Asset], dict[str, Any]]
    sources: Mapping[str, Source[Any]]
    folding: Folding
    moments: Moments
    spans: Spans = field(default_factory=Spans)

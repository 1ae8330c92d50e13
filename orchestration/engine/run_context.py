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
    """What all steps of a run share."""

    run_id: str
    plan: Plan
    catalog: Catalog
    contracts: Mapping[str, Contract]
    parameters: Parameters
    warehouse: Warehouse
    tables: Mapping[str, TableState]
    """The states of tables on which the plan was made."""
    current: Current
    """Code versions, contracts and clock of the run."""
    engine: Callable[[], Engine]
    """Gives the engine; waits until it is ready."""
    history: WarehouseHistory
    """What the warehouse records besides records."""
    arguments: Callable[[Asset], dict[str, Any]]
    """Gives the keyword arguments of an asset's function."""
    sources: Mapping[str, Source[Any]]
    """By name."""
    folding: Folding
    """Folds fetched answers into the stored rows."""
    moments: Moments
    """When sources were asked in vain."""
    spans: Spans = field(default_factory=Spans)
    """Measures the steps."""

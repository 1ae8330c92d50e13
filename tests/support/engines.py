"""The engines that tests of a process share: neither is started nor stopped by a run."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestration.engine.engines.embedded import EmbeddedEngine
from orchestration.engine.engines.engine import Engine
from orchestration.engine.engines.spark import SparkEngine
from orchestration.project import load
from resources.delta.warehouse import Warehouse
from resources.embedded.process import EmbeddedProcess
from resources.settings.spark_values import VALUE_SETTINGS


class SharedEngine(Protocol):
    """Makes engines for runs that share what lies under them."""

    @property
    def name(self) -> str: ...

    def engine(self, warehouse: Warehouse) -> Engine: ...

    def make(self, warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        """As ``MakeEngine``, for commands that want one."""
        ...


class _LastingProcess(EmbeddedProcess):
    """Not ended by a run."""

    def cancel(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def end(self) -> None:
        super().stop()


class SharedEmbedded:
    """The embedded engine. folder: for its scratch."""

    name = "embedded"

    def __init__(self, folder: Path) -> None:
        settings = load(environment={}).embedded
        self.process = _LastingProcess(
            folder,
            settings.memory_bytes,
            settings.memory,
            settings.timeout_seconds,
            VALUE_SETTINGS,
            folder / "embedded.log",
        )

    def engine(self, warehouse: Warehouse) -> Engine:
        made = EmbeddedEngine(warehouse, self.process)
        made.start()
        return made

    def make(self, warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        return self.engine(warehouse)


@dataclass
class _SharedSession:
    """The session of the tests as a run's own."""

    session: Any
    application_id: str = "shared"

    def start(self) -> Any:
        return self.session

    def cancel(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def explained(self, error: Exception) -> None:
        pass


class SharedSpark:
    """Spark."""

    name = "spark"

    def __init__(self, session: Any) -> None:
        self.session = session

    def engine(self, warehouse: Warehouse) -> Engine:
        made = SparkEngine(warehouse, _SharedSession(self.session))
        made.start()
        assert made.scratch is not None
        weakref.finalize(made, made.scratch.close)  # nobody stops it: the session goes on
        return made

    def make(self, warehouse: Warehouse, run_id: str, rows_expected: int, inherited: list[int]) -> Engine:
        return self.engine(warehouse)

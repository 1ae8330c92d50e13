"""How several workers share the tests (`pytest -n 2`): what waits runs beside what computes.

The work goes out in units: a module, or a folder with a conftest.py of its own, whose servers are then there once. The
first worker takes them from the front, where the cluster, the servers and the commands are; the others from the back,
where the tests are that share a Spark session in their own process. In the middle is what needs neither: it is short,
and fills up whoever is done first. A new test finds its location by its marks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

IN_THIS_PROCESS = {"spark", "either", "either_slowly"}
"""Fixtures that are, or may be, the session that the tests of a process share."""
ENGINES = {"embedded", "on_spark", "either", "either_slowly"}
TESTS = Path(__file__).resolve().parent.parent


ORDER = (0, 1, 5, 2, 4, 3)
"""Of turns, by which of them says where a module goes that has several: first what takes longest to start."""
LAST = ORDER[-1]


def turn(item: pytest.Item) -> int:
    """Of the queue's front (a cluster, then servers, then commands), middle (neither) or back (the shared session)."""
    marked = {mark.name for mark in item.iter_markers()}
    if "yarn" in marked or ("prefect" in marked and not unit(item.nodeid).endswith(".py")):
        return 0  # what goes to one worker as a whole, and takes minutes, must not be left for the end
    if "prefect" in marked:
        return 1
    if "spark" not in marked:
        return 4 if "planted" in marked else 3
    return 5 if IN_THIS_PROCESS & {*getattr(item, "fixturenames", ())} else 2


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Whoever uses an engine of the tests has the mark ``engine``."""
    if ENGINES & {*getattr(item, "fixturenames", ())}:
        item.add_marker(pytest.mark.engine)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker. Modules stay whole, by what of their tests takes longest; else their order is that of the files."""
    if hasattr(config, "workerinput"):
        turns: dict[str, int] = {}
        for item in items:
            turns[unit(item.nodeid)] = min(turn(item), turns.get(unit(item.nodeid), LAST), key=ORDER.index)
        items.sort(key=lambda item: turns[unit(item.nodeid)])


def unit(nodeid: str) -> str:
    """What goes to one worker as a whole: the test's folder where it has a conftest.py of its own, else its module."""
    return _unit(nodeid.partition("::")[0])


@cache
def _unit(module: str) -> str:
    folder = TESTS.parent / Path(module).parent
    return str(folder) if folder != TESTS and (folder / "conftest.py").exists() else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In the process that hands out the work."""
    from xdist.scheduler import LoadScopeScheduling

    class FromBothEnds(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            if node is not self.nodes[0]:
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False  # not those with the most tests first
    return FromBothEnds(config, log)

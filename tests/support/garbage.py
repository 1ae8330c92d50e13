"""What was collected stays until the end, thousands of tests of it: Python's garbage collector does not look at it
again and again. That is a tenth of the time of the fast tests."""

from __future__ import annotations

import gc


def pytest_configure() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()

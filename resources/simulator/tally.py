"""Counts of the simulated API: the outcomes of its requests, and which faults hit which. Safe to share by threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable
from typing import Any


class Tally:
    """The counts. outcomes: outcome → number of requests. A thread's request is the one of its last call of
    ``begin``."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._hit: dict[str, list[int]] = {}
        self._times: Counter[Hashable] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()

    def begin(self, number: int) -> None:
        """This thread begins the request of this number."""
        self._thread.number = number

    def hit(self, fault: str) -> None:
        """Count a fault that hits this thread's request."""
        number = getattr(self._thread, "number", None)
        if number is None:
            return
        with self._lock:
            requests = self._hit.setdefault(fault, [])
            if number not in requests:
                requests.append(number)

    def is_left(self, key: Hashable, times: int | None) -> bool:
        """Whether a thing that may happen ``times`` times (None: always) may happen once more. If so, count it."""
        with self._lock:
            if times is not None and self._times[key] >= times:
                return False
            self._times[key] += 1
            return True

    def end(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1

    def to_json(self) -> dict[str, Any]:
        """requests: their number. outcomes: outcome → number. faults: name → how often, and the numbers of the
        requests."""
        with self._lock:
            faults = {name: {"served": len(numbers), "requests": list(numbers)} for name, numbers in self._hit.items()}
            return {"requests": self.outcomes.total(), "outcomes": dict(self.outcomes), "faults": faults}

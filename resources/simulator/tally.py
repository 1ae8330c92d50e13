"""What the simulated API has counted: how its requests ended, and which faults hit which. Safe to share by threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable
from typing import Any


class Tally:
    """outcomes: how many requests ended how. A request is one of those of a thread that ``begin`` was called in."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._hit: dict[str, list[int]] = {}
        self._times: Counter[Hashable] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()

    def begin(self, number: int) -> None:
        """From now on this thread is busy with the request of this number."""
        self._thread.number = number

    def hit(self, fault: str) -> None:
        """A fault hits this thread's request."""
        number = getattr(self._thread, "number", None)
        if number is None:
            return
        with self._lock:
            requests = self._hit.setdefault(fault, [])
            if number not in requests:
                requests.append(number)

    def is_left(self, key: Hashable, times: int | None) -> bool:
        """Whether what may happen ``times`` times (None: always) may happen once more; if so, it does."""
        with self._lock:
            if times is not None and self._times[key] >= times:
                return False
            self._times[key] += 1
            return True

    def end(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1

    def to_json(self) -> dict[str, Any]:
        """requests: in all. outcomes: by outcome. faults: by name how often, and the numbers of the requests."""
        with self._lock:
            faults = {name: {"served": len(numbers), "requests": list(numbers)} for name, numbers in self._hit.items()}
            return {"requests": self.outcomes.total(), "outcomes": dict(self.outcomes), "faults": faults}

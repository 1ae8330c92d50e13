"""Variables that the source refuses by name: found once, and not asked for again.

Has locks. Must not know: HTTP, the content of answers, columns, tables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from orchestration.core.errors import FetchCancelled, SourceVariableRefused
from resources.open_meteo.requests import Request

T = TypeVar("T")


class Unserved:
    """Sends requests without the variables that were refused before. Safe to share between threads.

    Until the first answer, requests are sent one at a time, so that a variable is refused only once.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._answered = threading.Event()
        self._asking, self._learning = threading.Lock(), threading.Lock()

    def fetch(self, request: Request, ask: Callable[[Request], T], cancelled: Callable[[], bool]) -> T:
        """What ``ask`` returns for ``request``, without those of its optional variables that the source refuses.

        Raises the errors of ``ask``; SourceVariableRefused where the source refuses a variable that is not optional.
        """
        with self._turn(request, cancelled):
            while True:
                asked = replace(request, refused=self._names & request.optional)
                try:
                    found = ask(asked)
                except SourceVariableRefused as error:
                    self._learn(error, asked)
                else:
                    self._answered.set()
                    return found

    def _learn(self, error: SourceVariableRefused, asked: Request) -> None:
        """Remember the variables that were refused by name. Raises SourceVariableRefused where another attempt cannot
        help."""
        named = [name for name in asked.variables if name in error.variables]
        if lacking := [name for name in named if name not in asked.optional]:
            remedy = f"It does not serve {', '.join(lacking)}, without which no day can be (the setting `essential`)."
            raise SourceVariableRefused(error.message, remedy, tuple(lacking)) from None
        refused = frozenset(named) & frozenset(asked.sent)
        if not refused or len(refused) == len(asked.sent):
            remedy = "It goes on to refuse this, asked again without. Ask later, or look at its documentation."
            raise SourceVariableRefused(error.message, remedy, error.variables) from None
        with self._learning:
            self._names |= refused

    @contextmanager
    def _turn(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn: none after the first answer; before it, one request at a time. Raises FetchCancelled."""
        while not self._answered.is_set():
            if self._asking.acquire(timeout=0.2):
                try:
                    yield
                finally:
                    self._asking.release()
                return
            if cancelled():
                raise FetchCancelled(f"the fetch of {request} was cancelled")
        yield

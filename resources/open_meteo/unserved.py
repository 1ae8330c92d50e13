"""Variables that the source refuses by name: found once, and not asked for again.

Has locks. Must not know: HTTP, what an answer looks like, columns, tables.
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
    """Asks without the variables that were refused before; safe to share between threads.

    Until one request has been answered all others wait for it, so that what is refused is asked for once.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._answered = threading.Event()
        self._asking, self._learning = threading.Lock(), threading.Lock()

    def fetch(self, request: Request, ask: Callable[[Request], T], cancelled: Callable[[], bool]) -> T:
        """What ``ask`` gives for ``request``, or for the same without those of its optional variables that are refused.

        Raises what ``ask`` raises; SourceVariableRefused where the source refuses a variable that is not optional.
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
        """Remember what was refused by name. Raises what is to be told where asking again is no use."""
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
        """At once, if a request was answered before; else one at a time."""
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

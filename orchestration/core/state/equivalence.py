"""Which code versions make the same rows: lines that are declared and proven, and what was accepted on a warehouse.

A version is text. Scheme 2 writes ``2:<code>:<settings>``: what makes the rows, and the values that it reads. A line
equates *code parts*, so it holds whatever the settings are; what was accepted on a warehouse equates whole versions of
an asset, at a location or everywhere. A version of scheme 1 (16 hexadecimal digits) is first explained: as
``1:<settings>``, where the settings are known that it was made of, so that lines can equate the code part ``1``.

Pure: who reads lines, commits and settings hands them in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from orchestration.core.state.versions import Equal

SCHEME_1 = "1"
"""The code part of what commit d35dc26 made, the text of which is kept."""

SCHEME_2 = "2"
"""What code parts begin with that are made today."""

Explain = Callable[[str, str | None, str], str | None]
"""(asset, location, version of scheme 1) → ``1:<settings>``; None where the settings are not known."""


def parts(version: str) -> tuple[str, str] | None:
    """Code part and settings part; None for a version of scheme 1, which has no parts.

    | version        | parts            |
    |----------------|------------------|
    | ``2:ab12:cd34``| ``2:ab12, cd34`` |
    | ``1:cd34``     | ``1, cd34``      |
    | ``ab12cd34``   | None             |
    """
    code, colon, settings = version.rpartition(":")
    return (code, settings) if colon else None


class Equivalences:
    """lines: per asset, groups of code parts that make the same rows. explain: see ``Explain``."""

    def __init__(
        self, lines: Mapping[str, Sequence[Collection[str]]], explain: Explain = lambda _asset, _at, _version: None
    ) -> None:
        self._lines = lines
        self._explain = explain

    def same(self, asset: str, location: str | None, one: str, other: str, accepted: Iterable[Equal] = ()) -> bool:
        """Whether versions ``one`` and ``other`` of an asset make the same rows, by any chain of lines and accepts."""
        if one == other:
            return True
        pairs = [(equal.one, equal.other) for equal in accepted if _concerns(equal, asset, location)]
        explained = self._explain(asset, location, other) if parts(other) is None else None
        goals = {other} if explained is None else {other, explained}
        seen, waiting = {one}, [one]
        while waiting:
            for neighbour in self._beside(asset, location, waiting.pop(), pairs):
                if neighbour in goals:
                    return True
                if neighbour not in seen:
                    seen.add(neighbour)
                    waiting.append(neighbour)
        return False

    def _beside(
        self, asset: str, location: str | None, version: str, pairs: Iterable[tuple[str, str]]
    ) -> Iterator[str]:
        split = parts(version)
        if split is None:
            explained = self._explain(asset, location, version)
            if explained is not None:
                yield explained
        else:
            code, settings = split
            for group in self._lines.get(asset, ()):
                if code in group:
                    yield from (f"{one}:{settings}" for one in group)
        for left, right in pairs:
            if left == version:
                yield right
            elif right == version:
                yield left


def _concerns(equal: Equal, asset: str, location: str | None) -> bool:
    return equal.asset == asset and equal.location in (None, location)

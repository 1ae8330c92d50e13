"""Which code versions make the same rows: lines that are declared and proven, and what was accepted on a warehouse.

A version is text. Scheme 2 writes ``2:<code>:<settings>``: what makes the rows, and the values that it reads. A line
equates *code parts*, so it holds whatever the settings are; what was accepted on a warehouse equates whole versions of
an asset, at a location or everywhere. A version of scheme 1 (16 hexadecimal digits) is first explained: as
``1:<settings>``, where the settings are known that it was made of, so that lines can equate the code part ``1``.

Code that *grew* makes what earlier code made, with nullable columns more, and may read parameters for these. What the
earlier code made is as good as today's, but not the other way round: where the columns are filled, what they were made
of counts.

Pure: who reads lines, commits and settings hands them in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestration.core.state.versions import Equal

SCHEME_1 = "1"
"""The code part of what commit d35dc26 made, the text of which is kept."""

SCHEME_2 = "2"
"""What code parts begin with that are made today."""

Explain = Callable[[str, str | None, str], str | None]
"""(asset, location, version of scheme 1) → ``1:<settings>``; None where the settings are not known."""

SettingsWithout = Callable[[str, str | None, Collection[str]], str]
"""(asset, location, parameters) → the settings part that today's version would have if its code did not read these."""


@dataclass(frozen=True, slots=True)
class Growth:
    """earlier: code parts of which today's, ``grown``, makes the same rows, but for nullable columns that were added.

    reads_more: parameters that ``grown`` reads for these columns alone, and the earlier code did not.
    """

    earlier: frozenset[str]
    grown: str
    reads_more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """What is declared of an asset. same: groups of code parts that make the same rows."""

    same: tuple[frozenset[str], ...] = ()
    growths: tuple[Growth, ...] = ()


NO_LINES = Lines()


def _nobody_knows(_asset: str, _location: str | None, _without: Collection[str]) -> str:
    return ""


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
    """lines: by asset. explain: see ``Explain``. settings_without: see ``SettingsWithout``; needed for growths."""

    def __init__(
        self,
        lines: Mapping[str, Lines],
        explain: Explain = lambda _asset, _at, _version: None,
        settings_without: SettingsWithout = _nobody_knows,
    ) -> None:
        self._lines = lines
        self._explain = explain
        self._settings_without = settings_without

    def same(self, asset: str, location: str | None, one: str, other: str, accepted: Iterable[Equal] = ()) -> bool:
        """Whether what version ``one`` of an asset made is what ``other`` makes, by any chain of lines and accepts.

        Either may be the older one. Of growths ``other`` is today's version.
        """
        if one == other:
            return True
        pairs = [(equal.one, equal.other) for equal in accepted if _concerns(equal, asset, location)]
        explained = self._explain(asset, location, other) if parts(other) is None else None
        goals = {other} if explained is None else {other, explained}
        seen, waiting = {(one, False)}, [(one, False)]
        while waiting:
            version, back = waiting.pop()
            found = [(neighbour, back) for neighbour in self._beside(asset, location, version)]
            found += [(right, back) for left, right in pairs if left == version]
            found += [(left, True) for left, right in pairs if right == version]
            if not back:  # else what a growth added would be passed over on the way to what had it not
                found += [(neighbour, False) for neighbour in self._grown(asset, location, version, other)]
            for step in found:
                if step[0] in goals:
                    return True
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
        return False

    def _beside(self, asset: str, location: str | None, version: str) -> Iterator[str]:
        """The versions that lines, or what it was made of, put beside one."""
        split = parts(version)
        if split is None:
            explained = self._explain(asset, location, version)
            if explained is not None:
                yield explained
            return
        code, settings = split
        for group in self._lines.get(asset, NO_LINES).same:
            if code in group:
                yield from (f"{one}:{settings}" for one in group)

    def _grown(self, asset: str, location: str | None, version: str, today: str) -> Iterator[str]:
        """What grew from a version, with the settings of ``today``: if what both read is the same."""
        split, now = parts(version), parts(today)
        if split is None or now is None:
            return
        for growth in self._lines.get(asset, NO_LINES).growths:
            if split[0] in growth.earlier and split[1] == self._settings_without(asset, location, growth.reads_more):
                yield f"{growth.grown}:{now[1]}"


def _concerns(equal: Equal, asset: str, location: str | None) -> bool:
    return equal.asset == asset and equal.location in (None, location)

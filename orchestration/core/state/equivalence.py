"""Which code versions make the same rows. A version that makes the same rows as today's leaves a partition fresh.

A code version of scheme 2 is the text ``2:<code part>:<settings part>``. The code part is a digest of the code, the
settings part one of the parameter values that the code reads. Two things make versions equal. A *line* in the project's
file of equal code parts equates code parts; tests prove it, and it holds for all settings. And `aqi accept` equates two
whole versions of one asset in one warehouse, at one location or everywhere.

A version of scheme 1 is 16 hexadecimal digits. It is first translated to ``1:<settings part>``, where it is known from
which settings it was made; then lines can equate the code part ``1``.

Code has *grown* if it makes the same rows as earlier code, with further nullable columns. It may read more parameters,
for these columns alone. Rows of the earlier code are then as good as today's. The opposite is not true: where the new
columns are filled, the values that fill them count.

Pure: lines, accepted versions and settings come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestration.core.state.versions import Equal

SCHEME_1 = "1"
"""The code part of what commit d35dc26 made. The text of that code is kept."""

SCHEME_2 = "2"
"""How the code parts of today begin."""

Explain = Callable[[str, str | None, str], str | None]
"""(asset, location, version of scheme 1) → ``1:<settings>``; None where the settings are not known."""

SettingsWithout = Callable[[str, str | None, Collection[str]], str]
"""(asset, location, parameters) → the settings part that today's version would have if its code did not read these."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A line that says that code has grown."""

    earlier: frozenset[str]
    """The earlier code parts. They make the same rows as ``grown``, without the columns that were added."""
    grown: str
    """The code part of today."""
    reads_more: tuple[str, ...] = ()
    """The parameters that only ``grown`` reads, for the added columns alone."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of the project's file of equal code parts for one asset."""

    same: tuple[frozenset[str], ...] = ()
    """Groups of code parts; all code parts of a group make the same rows."""
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
    """Says which code versions of an asset make the same rows.

    lines: by asset key. explain: see ``Explain``. settings_without: see ``SettingsWithout``; only ``Growth`` needs it.
    """

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
        """Whether the versions ``one`` and ``other`` of an asset make the same rows, by any chain of lines and accepted
        versions.

        Either may be the older one. For ``Growth``, ``other`` is today's version.
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
        """The versions that are directly equal to ``version``: by a line, or by the translation of a version of scheme
        1."""
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
        """The versions that grew from ``version``, with the settings part of ``today``, if the parameters that both
        read have the same values."""
        split, now = parts(version), parts(today)
        if split is None or now is None:
            return
        for growth in self._lines.get(asset, NO_LINES).growths:
            if split[0] in growth.earlier and split[1] == self._settings_without(asset, location, growth.reads_more):
                yield f"{growth.grown}:{now[1]}"


def _concerns(equal: Equal, asset: str, location: str | None) -> bool:
    return equal.asset == asset and equal.location in (None, location)

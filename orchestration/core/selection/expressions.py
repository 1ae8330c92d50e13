"""The parts of a selection, and which assets each of them chooses.

One class for every form of the language; how it is written, and read, is told in ``parser``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Protocol

from orchestration.core.declarations.dag import Dag
from orchestration.core.errors import SelectionError


class Universe(Protocol):
    """What a selection chooses from."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every asset key, in topological order."""

    @property
    def dag(self) -> Dag:
        """The graph of the same keys."""

    def layer_of(self, key: str) -> str:
        """The layer of an asset."""

    def tags_of(self, key: str) -> Collection[str]:
        """The tags of an asset."""


class Expression(ABC):
    """A part of a selection; ``str()`` is its canonical text."""

    __slots__ = ()
    binding: ClassVar[int] = 4
    """Its precedence as an operator: ``or`` 0, ``and`` 1, ``not`` 2, ``+`` 3; a name 4. A part of lower precedence than
    what it stands in needs parentheses."""

    @abstractmethod
    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        """The keys that it stands for; ``text`` is the whole selection, for errors."""

    def inside(self, binding: int) -> str:
        """Its text as a part of what binds as given: in parentheses where it would fall apart."""
        return str(self) if self.binding >= binding else f"({self})"


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """One asset. ``at``: where it stands in the text."""

    key: str
    at: int = field(default=0, compare=False)

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        if self.key not in universe.keys:
            known = [(key, key) for key in universe.keys]
            if "." not in self.key:  # perhaps it lacks the layer, or is one
                known += [(key.rpartition(".")[2], key) for key in universe.keys]
                known += [(name, f"layer:{name}") for name in _labels(universe, "layer")]
                known += [(name, f"tag:{name}") for name in _labels(universe, "tag")]
            raise error_at(text, self.at, str(self), f"unknown asset {self.key!r}", _nearest(self.key, known))
        return frozenset((self.key,))

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Glob(Expression):
    """The assets whose key matches a pattern of ``*`` and ``?``, capitals and dots told apart."""

    pattern: str
    at: int = field(default=0, compare=False)

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        if not (found := _matching(universe, self.pattern)):
            small = self.pattern.lower()
            instead = [other for other in (small, f"*.{small}") if _matching(universe, other)]
            known = [(self.pattern, other) for other in instead] or [(key, key) for key in universe.keys]
            problem = f"no asset matches {self.pattern!r}"
            raise error_at(text, self.at, str(self), problem, _nearest(self.pattern, known))
        return found

    def __str__(self) -> str:
        return self.pattern


@dataclass(frozen=True, slots=True)
class Label(Expression):
    """The assets of a layer or with a tag."""

    kind: Literal["layer", "tag"]
    name: str
    at: int = field(default=0, compare=False)

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        labels = _labels(universe, self.kind)
        if self.name not in labels:
            known = [(name, f"{self.kind}:{name}") for name in labels]
            problem = f"unknown {self.kind} {self.name!r}"
            raise error_at(text, self.at, str(self), problem, _nearest(self.name, known))
        return frozenset(labels[self.name])

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Walk(Expression):
    """An expression with its upstream and downstream: so many edges away at most, None for all the way."""

    start: Expression
    up: int | None
    down: int | None
    binding: ClassVar[int] = 3

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        start = self.start.choose(universe, text)
        upstream = universe.dag.upstream_of_any(start, self.up)
        return start | upstream | universe.dag.downstream_of_any(start, self.down)

    def __str__(self) -> str:
        before = "+" if self.up is None else f"{self.up}+" * (self.up > 0)
        after = "+" if self.down is None else f"+{self.down}" * (self.down > 0)
        return f"{before}{self.start.inside(4)}{after}"


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """Every asset that ``part`` does not choose."""

    part: Expression
    binding: ClassVar[int] = 2

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        return frozenset(universe.keys) - self.part.choose(universe, text)

    def __str__(self) -> str:
        return f"not {self.part.inside(2)}"


@dataclass(frozen=True, slots=True)
class And(Expression):
    """The assets that all parts choose."""

    parts: tuple[Expression, ...]
    binding: ClassVar[int] = 1

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        return frozenset.intersection(*[part.choose(universe, text) for part in self.parts])

    def __str__(self) -> str:
        return " and ".join(part.inside(2) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """The assets that at least one part chooses."""

    parts: tuple[Expression, ...]
    binding: ClassVar[int] = 0

    def choose(self, universe: Universe, text: str) -> frozenset[str]:
        return frozenset.union(*[part.choose(universe, text) for part in self.parts])

    def __str__(self) -> str:
        return " or ".join(part.inside(1) for part in self.parts)


def _matching(universe: Universe, pattern: str) -> frozenset[str]:
    return frozenset(key for key in universe.keys if fnmatchcase(key, pattern))


def _labels(universe: Universe, kind: Literal["layer", "tag"]) -> dict[str, list[str]]:
    """Each layer, or each tag -> the keys that have it."""
    found: dict[str, list[str]] = {}
    for key in universe.keys:
        for label in [universe.layer_of(key)] if kind == "layer" else universe.tags_of(key):
            found.setdefault(label, []).append(key)
    return found


def _nearest(word: str, known: Iterable[tuple[str, str]]) -> str:
    """A remedy for an unknown word: ``known`` are (a word that could be meant, what to write for it)."""
    write: dict[str, list[str]] = {}
    for meant, instead in known:
        write.setdefault(meant.lower(), []).append(instead)
    near = [instead for meant in get_close_matches(word.lower(), write, n=3) for instead in write[meant]]
    if near:
        *others, last = list(dict.fromkeys(near))[:3]
        return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
    everything = sorted({instead for several in write.values() for instead in several})
    listed = everything if len(everything) <= 10 else [*everything[:10], "…"]
    return f"there is: {', '.join(listed)}" if listed else "none is declared"


def error_at(text: str, at: int, place: str, problem: str, remedy: str) -> SelectionError:
    """The error that shows ``text`` with carets under ``place``, which stands there at ``at``."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return SelectionError(f"{problem}\n    {line}\n    {' ' * at}{'^' * len(place)}", remedy)

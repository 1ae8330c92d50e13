"""What is deployed in the model: code, contracts, settings and locations, and what is known of others.

``Code`` says by construction which versions make the same rows. ``Known`` tells the core of it as a warehouse does: by
lines, by what was accepted, and by the shapes and questions that commits recorded.

What they make is in ``rows``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract, RowRule
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state import shapes
from orchestration.core.state.equivalence import Equivalences, Lines
from orchestration.core.state.provenance import PartitionRecord, Question, Shape
from orchestration.core.state.table_state import TableState

FEED, CLEAN, QUARANTINE = "bronze.feed", "silver.clean", "silver.quarantine"
LOCATIONS, HOURS, DAYS, RUNS = "gold.locations", "gold.hours", "gold.days", "gold.runs"
WINDOW = RunWindow(HOURS, column="aqi", at_least="episode_rule.threshold")


def _table(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    parameters = ("locations",) if dated else ()
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", parameters, frozenset(), ())


LAKE = Catalog(
    [
        _table(RUNS, WINDOW),
        _table(DAYS, Identity(HOURS)),
        _table(HOURS, Identity(CLEAN), AllPartitions(LOCATIONS)),
        _table(CLEAN, Identity(FEED)),
        _table(QUARANTINE, Identity(FEED)),
        _table(FEED, source="feed"),
        _table(LOCATIONS, dated=False),
    ]
)
ALL = frozenset(LAKE.keys)

NAMES = ("hanoi", "hue", "lao")
TOWNS = NAMES[:2]
"""The towns as they are called at first; the first may be renamed to the name that nobody has."""
FIRST, LAST = date(2025, 8, 1), date(2025, 8, 5)
DAY = timedelta(days=1)
BLOCKS, BLOCK_HOURS = 4, 6
DATES = tuple(FIRST + n * DAY for n in range((LAST - FIRST).days + 1))
KEYS = tuple(PartitionKey(day, town) for day in DATES for town in NAMES)

Row = tuple[Any, ...]
Rows = tuple[Row, ...]
"""Rows of one partition in their order; the first value of a dated row is its block."""
Content = Mapping[PartitionKey, Rows]

WIDTH = {FEED: 6, CLEAN: 5, QUARANTINE: 8, LOCATIONS: 2, HOURS: 7, DAYS: 6, RUNS: 5}
"""How many columns a table has at first."""
NAME_AT = {FEED: 5, CLEAN: 4, QUARANTINE: 7, HOURS: 6, DAYS: 5, RUNS: 4}
"""Which column holds the name of the town."""
NAMED = frozenset({FEED, HOURS})
"""Assets whose code reads the name of the town, so that it is in their version."""
GROWING, MOST_EXTRAS = (CLEAN, HOURS), 2
SAME_LOCATION = 0.1
HOME = 21.0


def keys_of(asset: str) -> tuple[PartitionKey, ...]:
    """All partitions that an asset can have here."""
    return (NULL_KEY,) if asset == LOCATIONS else KEYS


# --- code, contracts and settings -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effect:
    """What code does differently. reads: how many of the columns that its upstream asset was given later."""

    twist: int = 0
    reads: int = 0


@dataclass(frozen=True)
class Form:
    """A contract. extras: columns that were added; rest: its rules; kind: the type of a column, which is in rows."""

    extras: int = 0
    rest: int = 0
    kind: int = 0

    def takes(self, earlier: Form) -> bool:
        """Whether rows of an earlier contract lack nothing but added columns."""
        return (self.rest, self.kind) == (earlier.rest, earlier.kind) and earlier.extras <= self.extras


@dataclass(frozen=True)
class Made:
    """What a partition was made by: numbers of code and setting; of a fetched one, where its location lay."""

    code: int = 0
    setting: int = 0
    degrees: float | None = None


At = tuple[str, str | None]


@dataclass(frozen=True)
class Code:
    """Deployed code, contracts and settings.

    numbers: by asset, that of its code; effects: of all its codes. settings: by asset and town, the number of the
    setting; biases: what all of these do. lines: by asset, codes that are declared to make the same. forms: contracts.
    towns: as they are called now. locations: where they lie. configured: those that are.
    """

    numbers: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ALL, 0))
    effects: Mapping[str, tuple[Effect, ...]] = field(default_factory=lambda: dict.fromkeys(ALL, (Effect(),)))
    settings: Mapping[At, int] = field(default_factory=dict)
    biases: Mapping[At, tuple[int, ...]] = field(default_factory=dict)
    lines: Mapping[str, tuple[frozenset[int], ...]] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=lambda: dict.fromkeys(ALL, Form()))
    towns: tuple[str, ...] = TOWNS
    locations: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(TOWNS, HOME))
    configured: frozenset[str] = frozenset(TOWNS)

    def made(self, asset: str, town: str | None) -> Made:
        """What a partition is made by now."""
        degrees = self.locations.get(str(town)) if asset == FEED else None
        return Made(self.numbers[asset], self.settings.get((asset, town), 0), degrees)

    def version(self, asset: Asset, town: str | None) -> str:
        return version_of(asset.key, town, self.made(asset.key, town))

    def effect(self, asset: str) -> Effect:
        return self.effects[asset][self.numbers[asset]]

    def bias(self, asset: str, town: str | None) -> int:
        return self.biases.get((asset, town), (0,))[self.settings.get((asset, town), 0)]

    def twist(self, asset: str, town: str | None) -> int:
        """What is in rows of code, setting and contract."""
        return self.effect(asset).twist + 1000 * self.bias(asset, town) + 100_000 * self.forms[asset].kind

    def threshold(self, town: str | None) -> int:
        """From which index on an hour is flagged: a parameter of the runs, part of their code."""
        return 101 if (self.effect(RUNS).twist + self.bias(RUNS, town)) % 2 else 151

    def extras(self, asset: str) -> int:
        return self.forms[asset].extras

    def is_configured(self, town: str | None) -> bool:
        return town is None or town in self.configured

    def makes_the_same(self, asset: str, town: str | None, one: Made, other: Made) -> bool:
        """Whether they do indeed, whatever is known of it."""
        effects, biases = self.effects[asset], self.biases.get((asset, town), (0,))
        same = effects[one.code] == effects[other.code] and biases[one.setting] == biases[other.setting]
        return same and one.degrees == other.degrees

    # What may be deployed ------------------------------------------------------------------------

    def changed(self, asset: str, towns: Iterable[str], *, really: bool, reading: bool) -> Code:
        """With other code (for all towns) or another setting (for one), which makes other rows, or the same.

        reading: the code reads the columns that its upstream asset was given.
        """
        towns = tuple(towns)
        if asset == LOCATIONS or set(towns) == set(self.towns):
            now = self.effect(asset)
            upstream = {HOURS: CLEAN, DAYS: HOURS}.get(asset)
            reads = self.extras(upstream) if upstream and reading else 0
            return self.with_code(asset, Effect(now.twist + 1, reads) if really else now)
        settings, biases = dict(self.settings), dict(self.biases)
        for at in ((asset, town) for town in towns):
            of = biases.get(at, (0,))
            biases[at] = (*of, of[settings.get(at, 0)] + really)
            settings[at] = len(of)
        return replace(self, settings=settings, biases=biases)

    def with_code(self, asset: str, effect: Effect) -> Code:
        of = self.effects[asset]
        return replace(self, numbers={**self.numbers, asset: len(of)}, effects={**self.effects, asset: (*of, effect)})

    def as_before(self, asset: str) -> Code:
        """With the code that came before."""
        return replace(self, numbers={**self.numbers, asset: max(0, self.numbers[asset] - 1)})

    def with_lines(self, asset: str) -> Code:
        """With lines for all codes of an asset that make the same rows."""
        groups: dict[Effect, set[int]] = {}
        for number, effect in enumerate(self.effects[asset]):
            groups.setdefault(effect, set()).add(number)
        return replace(self, lines={**self.lines, asset: tuple(map(frozenset, groups.values()))})

    def with_contract(self, asset: str, *, retyped: bool) -> Code:
        """With another contract of an asset: other rules, or another type of a column."""
        form = self.forms[asset]
        other = replace(form, kind=form.kind + 1) if retyped else replace(form, rest=form.rest + 1)
        return replace(self, forms={**self.forms, asset: other})

    def grown(self, asset: str, how: int) -> Code:
        """With one more column, by the code as it is (0), or by other code that is declared to make the same (1) or
        not (2)."""
        form = self.forms[asset]
        if asset not in GROWING or form.extras == MOST_EXTRAS:
            return self
        code = replace(self, forms={**self.forms, asset: replace(form, extras=form.extras + 1)})
        code = code.with_code(asset, self.effect(asset)) if how else code
        return code.with_lines(asset) if how == 1 else code

    def with_location(self, town: str, by: float) -> Code:
        """With a town that lies elsewhere; far ones lie east of home, and come back."""
        there = self.locations[town] + by
        return replace(self, locations={**self.locations, town: round(there - 2 if there >= HOME + 2 else there, 2)})

    def with_configured(self, town: str) -> Code:
        """With a town taken out of the configuration, or back in it; one is always there."""
        configured = self.configured ^ {town}
        return replace(self, configured=configured) if configured else self

    def renamed(self, old: str, new: str) -> Code:
        """With a town that is called otherwise."""

        def of(town: Any) -> Any:
            return new if town == old else town

        return replace(
            self,
            settings={(asset, of(town)): number for (asset, town), number in self.settings.items()},
            biases={(asset, of(town)): biases for (asset, town), biases in self.biases.items()},
            towns=tuple(map(of, self.towns)),
            locations={of(town): degrees for town, degrees in self.locations.items()},
            configured=frozenset(map(of, self.configured)),
        )


def version_of(asset: str, town: str | None, made: Made) -> str:
    """As text of scheme 2."""
    name = town if asset in NAMED else ""
    degrees = "" if made.degrees is None else made.degrees
    return f"2:{LAKE[asset].name}{made.code}:{made.setting}/{name}/{degrees}"


def made_of(version: str) -> Made:
    """The inverse of ``version_of``."""
    _, code, settings = version.split(":")
    setting, _, degrees = settings.split("/")
    return Made(int(code.lstrip("abcdefghijklmnopqrstuvwxyz")), int(setting), float(degrees) if degrees else None)


@cache
def contract_of(asset: str, form: Form) -> Contract:
    """The contract as the core has it."""
    first = tuple(
        Column(f"c{number}", f"type {form.kind}" if number == 1 else "double", number > 0, "", "")
        for number in range(WIDTH[asset])
    )
    added = tuple(Column(f"x{number}", "double", True, "", "") for number in range(form.extras))
    return Contract(asset, "", (*first, *added), ("c0",), (RowRule(f"rule {form.rest}", "null", "c0"),))


@cache
def digest_of(asset: str, form: Form) -> str:
    return contract_of(asset, form).digest


@cache
def _shape_of(asset: str, form: Form) -> Shape:
    return shapes.shape_of(contract_of(asset, form))


# --- what is known of others ------------------------------------------------------------------------------------------


class Known:
    """``freshness.History`` and ``step_world.CommitHistory`` of the model."""

    def __init__(self, code: Code) -> None:
        self._code = code
        lines = {
            asset: Lines(tuple(frozenset(f"2:{LAKE[asset].name}{number}" for number in group) for group in groups))
            for asset, groups in code.lines.items()
        }
        self._equivalences = Equivalences(lines)

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        now = self._code.version(asset, location)
        return self._equivalences.same(asset.key, location, recorded, now, own.equal)

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        shape = self.shapes(asset, own).get(recorded)
        return None if shape is None else shapes.lacking(self._contract(asset), shape)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        shape = self.shapes(asset, own).get(recorded)
        return () if shape is None else shapes.absent(self._contract(asset), shape)

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        now = self._question(key.location)
        then = own.questions[record.question]
        assert now.latitude is not None and then.latitude is not None
        return "it has moved" if abs(now.latitude - then.latitude) > SAME_LOCATION else ""

    def question(self, asset: Asset, location: str | None) -> Question | None:
        return None if asset.source is None else self._question(location)

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        return own.questions[record.question]

    def questions_of(self, asset: Asset, keys: Iterable[PartitionKey], own: TableState) -> list[Question]:
        if asset.source is None:
            return []
        return [own.questions[one] for one in sorted({own.records[key].question for key in keys})]

    def kinds(self, asset: Asset, own: TableState) -> tuple[str, ...]:
        return ()

    def past(self, asset: Asset) -> tuple[Mapping[str, Any], ...]:
        return ()

    def _question(self, town: str | None) -> Question:
        """What the source is asked today."""
        return Question("feed", "all", ("aqi", "dust"), self._code.locations[str(town)], 0.0)

    def shapes(self, asset: str, own: TableState) -> dict[str, Shape]:
        form = self._code.forms[asset]
        return {**own.shapes, digest_of(asset, form): _shape_of(asset, form)}

    def earlier(self, asset: str, own: TableState) -> dict[str, tuple[str, ...]]:
        """The columns over which rows need a fingerprint beside that of today's contract, by the digest of then."""
        contract = self._contract(asset)
        found = {digest: shapes.hashed_columns(shape, contract) for digest, shape in self.shapes(asset, own).items()}
        today = digest_of(asset, self._code.forms[asset])
        return {digest: of for digest, of in found.items() if of is not None and digest != today}

    def _contract(self, asset: str) -> Contract:
        return contract_of(asset, self._code.forms[asset])

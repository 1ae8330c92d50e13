"""What an asset is, and the ``@asset`` decorator that declares one.

A wrong declaration fails when its module is imported. The error names the asset and the remedy. ``catalog`` finds what
only shows with all assets together: unknown upstream assets, cycles, keys that are declared twice, unknown parameters.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestration.core.declarations.checks import Check
from orchestration.core.declarations.read_names import unread
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import PartitionMapping
from orchestration.core.partitions.scheme import DailyByLocation, PartitionColumns, PartitionScheme

LAYERS = ("bronze", "silver", "gold")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAG = re.compile(r"[A-Za-z0-9._-]+")  # what `tag:` of the selection language can name


@dataclass(frozen=True, slots=True)
class HourlyRows:
    """How a fetched asset keeps its rows hour by hour, when a later answer has other values (see
    ``core.runs.fold``).
    """

    instant: str
    """The column with the first instant of the row's hour."""
    essential: tuple[str, ...]
    """Columns in which a later answer may not replace a value by null, unless it is forced. Settings may name other
    columns."""
    judged_by: str = ""
    """Key of the asset whose contract has the row rules. A row that breaks one of them is replaced by any later
    answer.
    """


@dataclass(frozen=True, slots=True)
class Asset:
    """The declaration of a table."""

    key: str
    """``layer.name``."""
    description: str
    function: Callable[..., Any]
    """Makes the rows. It takes the DataFrames of the upstream assets as positional arguments, and parameters as keyword
    arguments, and returns a DataFrame."""
    upstream: tuple[PartitionMapping, ...]
    """For each positional argument of the function a mapping, in their order."""
    source: str | None
    """The source from which the rows of an asset without upstream assets are fetched. The function takes the fetched
    rows as an argument of this name. None for any other asset."""
    partitions: PartitionScheme | None
    """How the table is cut into partitions; None for an unpartitioned table."""
    contract: str
    """The name of the contract."""
    parameters: tuple[str, ...]
    """The names of the parameters that the function takes."""
    tags: frozenset[str]
    checks: tuple[Check, ...]
    fresh_within_hours: float | None = None
    """The largest lag behind now that is fine, at every location; None where any lag is."""
    identifiers: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """Columns that are computed from the row's key alone → a function that gives the expression (a Spark Column)."""
    engine: Literal["spark"] | None = None
    """``spark`` if only Spark can make the rows; None if both engines can."""
    hours: HourlyRows | None = None
    """How a fetched asset keeps its rows hour by hour. None: every answer replaces the rows of the one before."""

    @property
    def layer(self) -> str:
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        return self.key.partition(".")[2]

    @property
    def partition_columns(self) -> PartitionColumns | None:
        """The columns that say to which partition a row belongs; None for an unpartitioned table."""
        return None if self.partitions is None else self.partitions.columns

    def asked_by(self, asked: PartitionSet) -> PartitionSet:
        """The partitions that a request for UTC days at locations means for this asset; ``null`` for an unpartitioned
        one."""
        return PartitionSet.null() if self.partitions is None else self.partitions.asked_by(asked)

    @property
    def upstream_keys(self) -> tuple[str, ...]:
        return tuple(mapping.of for mapping in self.upstream)


def asset(
    *,
    layer: Literal["bronze", "silver", "gold"],
    contract: str,
    upstream: Sequence[PartitionMapping] = (),
    source: str | None = None,
    partitions: PartitionScheme | None = None,
    tags: Iterable[str] = (),
    checks: Sequence[Check] = (),
    fresh_within_hours: float | None = None,
    identifiers: Mapping[str, Callable[[], Any]] | None = None,
    engine: Literal["spark"] | None = None,
    hours: HourlyRows | None = None,
) -> Callable[[Callable[..., Any]], Asset]:
    """Declare the decorated function as the asset ``layer.<function name>``.

    The function's positional arguments are named as its upstream assets (or its source); its keyword-only arguments are
    parameters. The arguments of the decorator are fields of ``Asset``. identifiers: the function has to make the same
    columns. engine: ``spark`` for a function that uses what only Spark has; a run on the embedded engine starts Spark
    for this asset.

    Raises DeclarationError where function and declaration do not agree.
    """

    tagged = tuple(tags)

    def declare(function: Callable[..., Any]) -> Asset:
        key = f"{layer}.{function.__name__}"
        if layer not in LAYERS:
            raise DeclarationError(f"asset {key}: layer must be one of {', '.join(LAYERS)} (got {layer!r})")
        if not _NAME.fullmatch(function.__name__):
            raise DeclarationError(
                f"asset {key}: a name must be lower-case letters, digits and _ (got {function.__name__!r})",
                "Rename the function.",
            )
        if source is not None and upstream:
            raise DeclarationError(
                f"asset {key}: has both a source ({source}) and upstream assets",
                "An asset is either fetched or made from others: split it into two.",
            )
        _check_once(key, function)
        _check_kinds(key, contract, upstream, partitions)
        description = inspect.getdoc(function) or ""
        if not description:
            raise DeclarationError(f"asset {key}: has no description", "Give the function a docstring.")
        positional, keywords = _arguments(function)
        expected = [source] if source is not None else [mapping.of.partition(".")[2] for mapping in upstream]
        if source is None or len(positional) != 1:  # else see ``check_source``, which knows the sources
            _check_arguments(key, positional, expected)
        if unused := unread(function, keywords):
            raise DeclarationError(
                f"asset {key}: parameter {unused[0]!r} is declared and never used",
                "Take it out of the function's arguments, or use it: its value would count in the asset's version.",
            )
        if fresh_within_hours is not None and not (partitions and fresh_within_hours > 0):
            raise DeclarationError(
                f"asset {key}: fresh_within_hours must be above 0, and is for dated assets (got {fresh_within_hours})"
            )
        if engine not in (None, "spark"):
            raise DeclarationError(
                f"asset {key}: engine must be 'spark', or left out (got {engine!r})",
                "Left out, either engine makes its rows.",
            )
        if hours is not None and source is None:
            raise DeclarationError(
                f"asset {key}: hours are of a fetched asset, and it has no source",
                "Leave out hours, or name its source.",
            )
        for tag in tagged:
            if not _TAG.fullmatch(tag):
                raise DeclarationError(
                    f"asset {key}: the tag {tag!r} cannot be selected",
                    "Write it with letters, digits, and . _ - only.",
                )
        return Asset(
            key=key,
            description=description,
            function=function,
            upstream=tuple(upstream),
            source=source,
            partitions=partitions,
            contract=contract,
            parameters=tuple(keywords),
            tags=frozenset(tagged),
            checks=tuple(checks),
            fresh_within_hours=fresh_within_hours,
            identifiers=dict(identifiers or {}),
            engine=engine,
            hours=hours,
        )

    return declare


def _check_once(key: str, function: Callable[..., Any]) -> None:
    """Raises DeclarationError if a function of the same name above in the module is an asset: it would be lost."""
    above = getattr(function, "__globals__", {}).get(function.__name__)
    if not isinstance(above, Asset) or function.__qualname__ != function.__name__:
        return
    lines = [getattr(one, "__code__", None) for one in (above.function, function)]
    first, second = (None if one is None else (one.co_filename, one.co_firstlineno) for one in lines)
    if first and second and first[0] == second[0] and first[1] < second[1]:  # else the module is imported anew
        raise DeclarationError(
            f"asset {key} is declared twice: its module has {above.key} above it, in line {first[1]}",
            "Rename one of the two functions.",
        )


def _check_kinds(key: str, contract: object, upstream: object, partitions: object) -> None:
    """Raises DeclarationError if one of these arguments has a wrong type."""
    if not isinstance(contract, str):
        name = getattr(contract, "__name__", "NameOfItsClass")
        raise DeclarationError(
            f"asset {key}: contract must be the name of a contract (got {contract!r})", f'Write contract="{name}".'
        )
    if partitions is not None and not isinstance(partitions, PartitionScheme):
        raise DeclarationError(
            f"asset {key}: partitions must be a scheme, or left out (got {partitions!r})",
            "Write partitions=DailyByLocation() for UTC days and locations; left out, it is made as a whole.",
        )
    mappings = upstream if isinstance(upstream, list | tuple) else [upstream]
    for mapping in mappings:
        of = getattr(mapping, "of", mapping)
        said = of if isinstance(of, str) and of else "layer.name"
        if not hasattr(mapping, "misfit") or isinstance(mapping, type) or mapping is upstream:
            raise DeclarationError(
                f"asset {key}: upstream must be a list of mappings (got {upstream!r})",
                f'Write upstream=[Identity("{said}")]; for one without partitions AllPartitions("{said}").',
            )
        if not isinstance(of, str) or of.partition(".")[0] not in LAYERS or not of.partition(".")[2]:
            raise DeclarationError(
                f"asset {key}: upstream {of!r} must be the key of an asset, layer.name",
                f"Layers are {', '.join(LAYERS)}: for instance {LAYERS[-1]}.{said.rpartition('.')[2]}.",
            )


def check_source(asset: Asset, known: Collection[str]) -> None:
    """Raises DeclarationError if the source of the asset is not among ``known``, or its function gives it another
    name.
    """
    if asset.source is None:
        return
    if asset.source not in known:
        raise DeclarationError(
            f"asset {asset.key}: its source {asset.source!r} is unknown",
            f"Known sources are {', '.join(sorted(known))}.",
        )
    _check_arguments(asset.key, _arguments(asset.function)[0], [asset.source])
    if not isinstance(asset.partitions, DailyByLocation):
        raise DeclarationError(
            f"asset {asset.key}: its source {asset.source} is asked for UTC days, and it is not partitioned by them",
            "Declare partitions=DailyByLocation(…); other periods are for assets that are made from it.",
        )


def _arguments(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    positional: list[str] = []
    keywords: list[str] = []
    for argument in inspect.signature(function).parameters.values():
        (keywords if argument.kind is argument.KEYWORD_ONLY else positional).append(argument.name)
    return positional, keywords


def _check_arguments(key: str, got: Sequence[str], expected: Sequence[str]) -> None:
    for name in got:
        if name not in expected:
            raise DeclarationError(
                f"asset {key}: argument {name!r} is no upstream asset of it",
                f"Declared upstream: {', '.join(expected) or 'none'}. "
                "Add the asset to `upstream`, or make the argument keyword-only if it is a parameter.",
            )
    for name in expected:
        if name not in got:
            raise DeclarationError(
                f"asset {key}: upstream {name!r} is declared but the function does not take it",
                f"Add an argument {name!r}, or remove it from `upstream`.",
            )
    if list(got) != list(expected):
        raise DeclarationError(
            f"asset {key}: arguments are in another order than `upstream`",
            f"Write them as {', '.join(expected)}.",
        )

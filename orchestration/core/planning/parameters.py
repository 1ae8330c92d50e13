"""What a command and the flow of its name are asked for: every parameter is declared here, and nowhere else.

From a declaration follow the options of the command line (``cli/parameters.py``), and of a flow its signature, the
reading of its values and the JSON schema that a server has of it (``service/flow_parameters.py``). The names are those
that deployments on servers give, so they stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

from orchestration.core.partitions.days import ChunkMode


@dataclass(frozen=True, slots=True)
class Description:
    """The texts that describe a parameter to people."""

    help: str
    """A sentence: in the command's help, and in the form of a server."""
    metavar: str = ""
    """What stands for the value in the command's help."""
    argument: bool = False
    """Whether the command line has it without an option."""


Selection = Description("Which assets: *, a key, a glob, +x, x+, layer:gold, …", "SELECTION")
Locations = Annotated[tuple[str, ...], Description("Only these locations (default: all configured).", "A,B")]
Waits = Annotated[bool, Description("Wait for a used-up limit of the source instead of failing; the time is shown.")]
Profile = Annotated[
    str | None,
    Description("local (default), NAME of config/NAME.yml, or a YAML file of yours.", "NAME|FILE"),
]


@dataclass(frozen=True, kw_only=True)
class Materialize:
    """`aqi materialize`, and the flow materialize."""

    selection: Annotated[str, Description(Selection.help, Selection.metavar, argument=True)] = "*"
    partitions: Annotated[
        str | None,
        Description(
            "2025-08-08, 2025-08-08..2025-08-14 (both ends in), 2025-08, or last:7 (seven ended days and today).",
            metavar="RANGE",
        ),
    ] = None
    locations: Locations = ()
    hourly: Annotated[
        bool, Description("Instead of a range: today, the days that are still revised, and what a gap left missing.")
    ] = False
    force: Annotated[bool, Description("Make what is fresh too.")] = False
    wait: Waits = False
    profile: Profile = None

    def contradiction(self, called: Callable[[str], str] = str) -> str:
        """Why these values contradict each other, as a sentence; empty where they do not.

        called: gives the name of a parameter as people know it, for instance ``--hourly``.
        """
        for name, given in (("partitions", self.partitions), ("force", self.force)):
            if self.hourly and given:
                return f"{called('hourly')} decides by itself what is made: {called(name)} does not go with it"
        return ""


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """`aqi backfill`, and the flow backfill. Both days are in the range."""

    start_date: Annotated[date, Description("The first day (UTC), for instance 2025-01-01.", "DAY")]
    end_date: Annotated[date, Description("The last day (UTC); it is in the range.", "DAY")]
    chunk_mode: Annotated[
        ChunkMode, Description("Calendar months, seven days each from the first day, or single days.")
    ] = "monthly"
    select: Annotated[str, Selection] = "*"
    locations: Locations = ()
    restart: Annotated[bool, Description("Start over: everything anew. Broken off, it goes on.")] = False
    wait: Waits = False
    profile: Profile = None

    def contradiction(self, called: Callable[[str], str] = str) -> str:
        """As of `Materialize`."""
        if self.end_date < self.start_date:
            last, first = called("end_date"), called("start_date")
            return f"{last} ({self.end_date}) lies before {first} ({self.start_date})"
        return ""


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """The flow maintenance."""

    profile: Profile = None

    def contradiction(self, called: Callable[[str], str] = str) -> str:
        """As of `Materialize`."""
        return ""


Asked = Materialize | Backfill | Maintenance
FLOWS: dict[str, type[Asked]] = {"materialize": Materialize, "backfill": Backfill, "maintenance": Maintenance}
"""The declared parameters of every flow that deployments run, by the flow's name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as it was declared."""

    name: str
    kind: object
    """Its type: ``str``, ``str | None``, ``bool``, ``date``, ``tuple[str, ...]`` or a ``Literal``."""
    description: Description
    required: bool
    default: object
    """None where the parameter is required."""

    @property
    def choices(self) -> tuple[str, ...]:
        """All values that the parameter can have; empty where there is no fixed list."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


def parameters_of(declared: type) -> tuple[Parameter, ...]:
    """The parameters that a class of this module declares, in the order of its fields."""
    hints = get_type_hints(declared, include_extras=True)
    found = []
    for field in fields(declared):
        kind, description = get_args(hints[field.name])
        required = field.default is MISSING
        found.append(Parameter(field.name, kind, description, required, None if required else field.default))
    return tuple(found)

"""The parameters of the flows that deployments run: read strictly, and as the JSON schema that the server knows.

Values come from YAML, from the server's form and from `prefect deployment run --param`, which makes JSON of what is
JSON and leaves the rest as text: a day is text, places are a list or ``a,b``. What a selection or a range means is not
known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from orchestration.core.errors import UsageError

A_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def _a_day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(A_DAY, value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("must be a day such as 2024-01-01")


def _places(value: object) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError('must be keys of locations, as ["hanoi", "hcmc"] or hanoi,hcmc')
    return [name.strip() for name in names if name.strip()]


Day = Annotated[date, BeforeValidator(_a_day), WithJsonSchema({"type": "string", "format": "date", "pattern": A_DAY})]
Places = Annotated[
    list[str],
    BeforeValidator(_places),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
]
Waits = Annotated[bool, Field(description="Wait for a used-up limit of the source instead of failing.")]
Profile = Annotated[str | None, Field(description="local, yarn, or the path of a YAML file; none: the machine's.")]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Materialize(_Parameters):
    """Of the flow materialize: `aqi materialize`."""

    selection: str = Field("*", min_length=1, description="Which assets: *, a key, a glob, +x, x+, layer:gold, …")
    partitions: str | None = Field(None, description="Which days: 2025-08-08, 2025-08-08..2025-08-14, 2025-08, last:7.")
    locations: Places = Field([], description="Only these places; none: all configured.")
    hourly: bool = Field(False, description="Today, the days that the provider still revises, and what a gap left.")
    force: bool = Field(False, description="Fetch and make what is fresh too.")
    wait: Waits = False
    profile: Profile = None

    @model_validator(mode="after")
    def _one_way(self) -> Materialize:
        for name in ("partitions", "force"):
            if self.hourly and getattr(self, name):
                raise ValueError(f"hourly decides by itself what is made: {name} does not go with it")
        return self


class Backfill(_Parameters):
    """Of the flow backfill: `aqi backfill`. Both days are in the range."""

    start_date: Day = Field(description="The first day (UTC), as 2024-01-01.")
    end_date: Day = Field(description="The last day (UTC), as 2024-12-31; it is in the range.")
    chunk_mode: Literal["monthly", "weekly", "daily"] = Field("monthly", description="How much is done at a time.")
    select: str = Field("*", min_length=1, description="Which assets: *, a key, a glob, +x, x+, layer:gold, …")
    locations: Places = Field([], description="Only these places; none: all configured.")
    restart: bool = Field(False, description="Make everything anew; broken off, it goes on.")
    wait: Waits = False
    profile: Profile = None

    @model_validator(mode="after")
    def _in_order(self) -> Backfill:
        if self.end_date < self.start_date:
            raise ValueError(f"end_date ({self.end_date}) lies before start_date ({self.start_date})")
        return self


class Maintenance(_Parameters):
    """Of the flow maintenance."""

    profile: Profile = None


FLOWS: dict[str, type[Materialize] | type[Backfill] | type[Maintenance]] = {
    "materialize": Materialize,
    "backfill": Backfill,
    "maintenance": Maintenance,
}
_EXAMPLES = {"start_date": "2024-01-01", "end_date": "2024-12-31"}
_KINDS = {"string_type": "must be text", "bool_type": "must be true or false"}


def parse_parameters(flow: str, given: Mapping[str, Any]) -> Materialize | Backfill | Maintenance:
    """The parameters of a run of ``flow``. Raises UsageError naming parameter, value and remedy."""
    try:
        return _model(flow).model_validate(dict(given))
    except ValidationError as error:
        raise _refusal(flow, min(error.errors(), key=_order)) from error


def check_parameters(flow: str, given: Mapping[str, Any]) -> None:
    """Whether ``given`` are parameters of ``flow``; some may be missing. Raises UsageError as `parse_parameters`."""
    try:
        _model(flow).model_validate(dict(given))
    except ValidationError as error:
        wrong = [found for found in error.errors() if found["type"] != "missing"]
        if wrong:
            raise _refusal(flow, min(wrong, key=_order)) from error


def parameter_schema(flow: str) -> dict[str, Any]:
    """The JSON schema of the parameters of ``flow``, as a deployment's ``parameter_openapi_schema``."""
    schema = _model(flow).model_json_schema()
    properties = {
        name: {**item, "title": name, "position": position}
        for position, (name, item) in enumerate(schema["properties"].items())
    }
    return {
        "title": "Parameters",
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "definitions": {},
        "additionalProperties": False,
    }


def _model(flow: str) -> type[Materialize] | type[Backfill] | type[Maintenance]:
    if flow not in FLOWS:
        raise UsageError(f"the flow {flow!r} is unknown", _nearest(flow, list(FLOWS), "Flows"))
    return FLOWS[flow]


def _order(error: Any) -> int:
    """A misspelt name first: what is missing may be what was meant."""
    return {"extra_forbidden": 0, "missing": 2}.get(error["type"], 1)


def _refusal(flow: str, error: Any) -> UsageError:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return UsageError(
            f"{flow}: there is no parameter {name!r}", _nearest(name, list(FLOWS[flow].model_fields), "Parameters")
        )
    if error["type"] == "missing":
        return UsageError(f"{flow}: {name} is missing", f"Give it: --param {name}={_EXAMPLES[name]}")
    if not name:
        return UsageError(f"{flow}: {_told(error)}", "Change one of them.")
    return UsageError(f"{flow}: {name} {_told(error)} (got {error['input']!r})", "Correct the value.")


def _told(error: Any) -> str:
    if error["type"] == "literal_error":
        return f"must be {error['ctx']['expected']}"
    if error["type"] == "string_too_short":
        return "must not be empty"
    return _KINDS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")


def _nearest(name: str, known: list[str], what: str) -> str:
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{what} are {', '.join(known)}."

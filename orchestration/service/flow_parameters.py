"""The parameters of the flows of deployments: how their values are read, and the JSON schema for the server.

Values come from YAML, from the server's form, and from `prefect deployment run --param`, which parses JSON and leaves
anything else as text. So a day is a text, and locations are a list or ``a,b``. What a selection or range means is
checked elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from difflib import get_close_matches
from functools import cache
from inspect import Parameter as SignatureParameter
from inspect import Signature
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)

from orchestration.core.errors import UsageError
from orchestration.core.planning.parameters import FLOWS, Asked, parameters_of

A_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def _a_day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(A_DAY, value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("must be a day such as 2024-01-01")


def _locations(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError('must be keys of locations, as ["hanoi", "hcmc"] or hanoi,hcmc')
    return tuple(name.strip() for name in names if name.strip())


_Day = Annotated[date, BeforeValidator(_a_day), WithJsonSchema({"type": "string", "format": "date", "pattern": A_DAY})]
_Locations = Annotated[
    tuple[str, ...],
    BeforeValidator(_locations),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
]
_READ_AS: dict[object, object] = {date: _Day, tuple[str, ...]: _Locations, str: Annotated[str, Field(min_length=1)]}
"""Type of a parameter → the type by which its values are read; other types are read as they are."""
_EXAMPLES = {"start_date": "2024-01-01", "end_date": "2024-12-31"}
_KINDS = {"string_type": "must be text", "bool_type": "must be true or false"}


def parse_parameters(flow: str, given: Mapping[str, Any]) -> Asked:
    """The parameters of a run of ``flow``. Raises UsageError naming parameter, value and remedy."""
    try:
        return _declared(flow, _model(flow).model_validate(dict(given)))
    except ValidationError as error:
        raise _refusal(flow, min(error.errors(), key=_order)) from error


def check_parameters(flow: str, given: Mapping[str, Any]) -> None:
    """Checks that ``given`` are parameters of ``flow``; some may be missing. Raises UsageError as `parse_parameters`
    does."""
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


def flow_signature(flow: str) -> Signature:
    """The signature of the flow's function. Every parameter is optional there, so that this project reports missing
    ones."""
    return Signature(
        [
            SignatureParameter(one.name, SignatureParameter.KEYWORD_ONLY, default=one.default)
            for one in parameters_of(FLOWS[flow])
        ]
    )


@cache
def _model(flow: str) -> type[BaseModel]:
    """The model that reads the parameters of a flow."""
    if flow not in FLOWS:
        raise UsageError(f"the flow {flow!r} is unknown", _nearest(flow, list(FLOWS), "Flows"))

    def fit(model: BaseModel) -> BaseModel:
        if wrong := _declared(flow, model).contradiction():
            raise ValueError(wrong)
        return model

    read: dict[str, Any] = {
        one.name: (
            _READ_AS.get(one.kind, one.kind),
            Field(... if one.required else one.default, description=one.description.help),
        )
        for one in parameters_of(FLOWS[flow])
    }
    config = ConfigDict(extra="forbid", frozen=True, strict=True)
    checked: dict[str, Any] = {"fit": model_validator(mode="after")(fit)}
    return create_model(flow, __config__=config, __validators__=checked, **read)


def _declared(flow: str, model: BaseModel) -> Asked:
    return FLOWS[flow](**{name: getattr(model, name) for name in type(model).model_fields})


def _order(error: Any) -> int:
    """Sorts errors: a misspelt name comes first, as a missing parameter may be the one that was meant."""
    return {"extra_forbidden": 0, "missing": 2}.get(error["type"], 1)


def _refusal(flow: str, error: Any) -> UsageError:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = [one.name for one in parameters_of(FLOWS[flow])]
        return UsageError(f"{flow}: there is no parameter {name!r}", _nearest(name, known, "Parameters"))
    if error["type"] == "missing":
        return UsageError(f"{flow}: {name} is missing", f"Give it: --param {name}={_EXAMPLES[name]}")
    if not name:
        return UsageError(f"{flow}: {_reason(error)}", "Change one of them.")
    return UsageError(f"{flow}: {name} {_reason(error)} (got {error['input']!r})", "Correct the value.")


def _reason(error: Any) -> str:
    if error["type"] == "literal_error":
        return f"must be {error['ctx']['expected']}"
    if error["type"] == "string_too_short":
        return "must not be empty"
    return _KINDS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")


def _nearest(name: str, known: list[str], what: str) -> str:
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{what} are {', '.join(known)}."

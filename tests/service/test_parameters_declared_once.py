"""The parameters of materialize, backfill and maintenance: declared once, for the command, the flow and the server."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.cli.app import main
from orchestration.cli.asked import asked_as
from orchestration.cli.parameters import option_name, variable
from orchestration.core.planning.parameters import FLOWS, Asked, Backfill, Materialize, parameters_of
from orchestration.service.flow_parameters import flow_signature, parameter_schema, parse_parameters

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"materialize": Materialize, "backfill": Backfill}
OF_COMMANDS_ALONE = {"profile", "locations", "partitions", "selection", "force", "wait"}
"""Names that other commands have too: what their functions take by these is what click hands them."""
NAMES = {one.name for declared in FLOWS.values() for one in parameters_of(declared)}


def declared_again(text: str) -> Iterator[str]:
    """What in a module's code declares a parameter once more: an option, an argument of a function, a field.

    Of names that commands have in common, an option only where a command takes declared ones, or all commands find it.
    """
    also_of_others = set() if "asked_as" in text or "option_of" in text else OF_COMMANDS_ALONE
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Attribute(attr="option"), args=args):
                said = {one.value for one in args if isinstance(one, ast.Constant)}
                yield from said & {option_name(name) for name in NAMES - also_of_others}
            case ast.FunctionDef(args=ast.arguments(posonlyargs=first, args=args, kwonlyargs=named)):
                yield from {one.arg for one in [*first, *args, *named]} & (NAMES - OF_COMMANDS_ALONE)
            case ast.ClassDef(body=body):
                fields = {one.target.id for one in body if isinstance(one, ast.AnnAssign) and is_name(one.target)}
                yield from fields & NAMES


def is_name(target: ast.expr) -> bool:
    return isinstance(target, ast.Name)


@pytest.mark.parametrize("folder", ["cli", "service"])
def test_no_other_module_declares_them_again(folder: str) -> None:
    files = sorted((ROOT / "orchestration" / folder).glob("*.py"))
    assert files
    found = {file.name: sorted(again) for file in files if (again := set(declared_again(file.read_text("utf-8"))))}
    assert found == {}


def test_the_check_sees_a_second_declaration() -> None:
    assert list(declared_again('click.option("--chunk-mode", "mode", default="monthly")')) == ["--chunk-mode"]
    assert list(declared_again('click.option("--force")')) == []
    assert list(declared_again('asked_as(Backfill)(click.option("--force"))')) == ["--force"]
    assert list(declared_again("def backfill(start_date: Any = None) -> None: ...")) == ["start_date"]
    assert list(declared_again("class Backfill(BaseModel):\n    restart: bool = False")) == ["restart"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_an_option_for_each_with_the_same_words(name: str) -> None:
    params = {one.name: one for one in main.commands[name].params}
    for one in parameters_of(COMMANDS[name]):
        there = params[variable(one)]
        assert there.required == one.required
        if one.description.argument:
            assert isinstance(there, click.Argument)
            continue
        assert isinstance(there, click.Option)
        assert there.opts == [option_name(one.name)]
        assert there.help == one.description.help
        assert isinstance(there.type, click.Choice) == bool(one.choices)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_takes_each_by_its_name(name: str) -> None:
    from prefect import Flow

    from orchestration import flows

    made = getattr(flows, name)
    assert isinstance(made, Flow)
    assert made.name == name
    taken = inspect.signature(made.fn).parameters
    assert list(taken) == [one.name for one in parameters_of(FLOWS[name])]
    assert all(one.default is not inspect.Parameter.empty for one in taken.values()), "what lacks is told by us"
    assert flow_signature(name) == inspect.signature(made.fn)


@pytest.mark.parametrize("name", FLOWS)
def test_a_server_is_told_of_each_in_the_same_words(name: str) -> None:
    schema = parameter_schema(name)
    assert {key: item["description"] for key, item in schema["properties"].items()} == {
        one.name: one.description.help for one in parameters_of(FLOWS[name])
    }
    assert schema["required"] == [one.name for one in parameters_of(FLOWS[name]) if one.required]


def asked_on_the_command_line(declared: type[Asked], words: list[str]) -> Asked:
    """What a command gets that is called so."""
    got: list[Asked] = []

    @click.command()
    @asked_as(declared)
    def command(asked: Asked) -> None:
        got.append(asked)

    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    return got[0]


days = st.dates(date(2013, 1, 1), date(2030, 1, 1))
texts = st.sampled_from(["*", "+gold.fact_city_daily", "layer:gold and not gold.dim_date"])
locations = st.lists(st.sampled_from(["hanoi", "hcmc", "hue"]), unique=True)
profiles = st.none() | st.sampled_from(["yarn", "config/dev.yml"])
MATERIALIZE = st.fixed_dictionaries(
    {},
    optional={
        "selection": texts,
        "partitions": st.none() | st.sampled_from(["2025-08", "last:7"]),
        "locations": locations,
        "hourly": st.just(False),
        "force": st.booleans(),
        "wait": st.booleans(),
        "profile": profiles,
    },
)
BACKFILL = st.fixed_dictionaries(
    {"start_date": days},
    optional={
        "chunk_mode": st.sampled_from(["monthly", "weekly", "daily"]),
        "select": texts,
        "locations": locations,
        "restart": st.booleans(),
        "wait": st.booleans(),
        "profile": profiles,
    },
)


def as_words(values: dict[str, object]) -> list[str]:
    words = []
    for name, value in values.items():
        if name == "selection":
            words.append(str(value))
        elif value is True:
            words.append(option_name(name))
        elif value not in (None, False):
            words += [option_name(name), ",".join(value) if isinstance(value, list) else str(value)]
    return words


@settings(max_examples=60, deadline=None)
@given(MATERIALIZE)
def test_a_call_and_a_run_of_a_deployment_mean_the_same(values: dict[str, object]) -> None:
    assert asked_on_the_command_line(Materialize, as_words(values)) == parse_parameters("materialize", values)


@settings(max_examples=60, deadline=None)
@given(BACKFILL, st.integers(0, 400))
def test_so_do_those_of_a_backfill(values: dict[str, object], length: int) -> None:
    first = values["start_date"]
    assert isinstance(first, date)
    values = {**values, "end_date": first + timedelta(length)}
    as_json = {name: str(value) if isinstance(value, date) else value for name, value in values.items()}
    assert asked_on_the_command_line(Backfill, as_words(values)) == parse_parameters("backfill", as_json)


def test_what_does_not_go_together_is_told_in_the_words_of_either() -> None:
    both = Materialize(hourly=True, partitions="last:7")
    assert both.contradiction() == "hourly decides by itself what is made: partitions does not go with it"
    said = "--hourly decides by itself what is made: --partitions does not go with it"
    done = CliRunner().invoke(main, ["materialize", "*", "--hourly", "--partitions", "last:7"])
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"error: {said}\n  Leave out one of them.\n")

"""What `aqi --help` says, and what is said to whoever did not quote a `*`."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from orchestration.cli.app import main
from tests.support.cli_calls import Aqi

WIDTH = 80


def groups() -> list[tuple[str, ...]]:
    return [(), *((name,) for name, found in main.commands.items() if isinstance(found, click.Group))]


@pytest.mark.parametrize("group", groups(), ids=" ".join)
def test_no_summary_of_a_command_is_cut(group: tuple[str, ...]) -> None:
    printed = CliRunner().invoke(main, [*group, "--help"], terminal_width=WIDTH).output
    _, _, listed = printed.partition("Commands:\n")
    lines = listed.splitlines()
    assert lines
    for line in lines:
        assert len(line) <= WIDTH
        assert line[2] != " ", "a summary is one line"
        assert line.endswith(".")
        assert not line.endswith("...")


@pytest.mark.parametrize(
    "call", [("materialize",), ("plan",), ("status",), ("lineage",), ("freshness",), ("repair",), ("verify",)]
)
@pytest.mark.parametrize("names", [["a.txt"], ["a.txt", "b.txt"], ["a.txt", "b.txt", "c", "d"]])
def test_a_star_that_the_shell_replaced(aqi: Aqi, call: tuple[str, ...], names: list[str]) -> None:
    for name in names:
        (aqi.folder / name).touch()
    done = aqi(*call, *names)
    assert (done.exit_code, done.stdout) == (2, "")
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    assert f"{shown}: the shell made names of files of an unquoted *; quote it: '*'" in done.stderr
    assert "there is:" not in done.stderr
    assert done.stderr.lower().count("error:") == 1


def test_arguments_too_many_that_are_no_files(aqi: Aqi) -> None:
    done = aqi("status", "gold.dim_date", "or", "gold.dim_time")
    assert "unexpected extra arguments (or gold.dim_time)" in done.stderr
    assert "quote" not in done.stderr


def test_a_name_that_is_nearly_an_asset_and_a_file_too(aqi: Aqi) -> None:
    (aqi.folder / "gold.dim_dat").touch()
    _, remedy = aqi.refusal("status", "gold.dim_dat")
    assert remedy.endswith("quote it: '*'; did you mean gold.dim_date, gold.dim_time or gold.dim_location?")


@pytest.mark.parametrize("call", [("materialize",), ("plan",)])
def test_no_selection_means_all_assets(aqi: Aqi, call: tuple[str, ...]) -> None:
    assert aqi.refusal(*call)[0] == aqi.refusal(*call, "*")[0] == "bronze.open_meteo_hourly has partitions: say which"
    assert aqi.refusal("verify") == aqi.refusal("verify", "*")
    ranged = ("plan", "--partitions", "2025-08-19")
    assert aqi.json(*ranged) == aqi.json(*ranged, "*")


def test_unknown_names_are_all_told_once(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("status", "--locations", "hanio,hue,hanio,hanoi,zzz")
    assert place == "locations 'hanio', 'hue', 'zzz' are unknown"
    assert remedy == "Did you mean 'hanoi'?"
    place, remedy = aqi.refusal("deploy", "hurly", "golf", "hurly")
    assert place == "the deployments 'hurly', 'golf' are unknown"
    assert remedy == "Did you mean 'hourly' and 'gold'?"

"""From settings to declared deployments, and every wrong declaration with its place; without a server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.deployments.values import Declared, Pool, Schedule
from orchestration.core.errors import ConfigurationError, LakehouseError, UsageError
from orchestration.project import load
from orchestration.service.deployments import (
    declared_deployments,
    declared_pools,
    deployment_name,
    environment_tags,
    heartbeat_automation,
    pool_name,
)
from orchestration.service.flow_parameters import parameter_schema
from resources.settings.load import Settings
from tests.support.cli_calls import Aqi

NAMES = ["backfill", "bronze", "everything", "gold", "hourly", "maintenance", "silver"]


def given(deployments: dict[str, Any] | None = None, profile: str | None = None, **deploy: Any) -> Settings:
    return load(profile, {}, {"deployments": deployments or {}, "deploy": deploy})


def one(settings: Settings, name: str) -> Declared:
    [item] = declared_deployments(settings, [name])
    return item


def refusal(deployments: dict[str, Any], names: Iterable[str] | None = None) -> tuple[str, str]:
    with pytest.raises(LakehouseError) as caught:
        declared_deployments(given(deployments), names)
    assert caught.value.exit_status == 2
    return caught.value.message, caught.value.remedy


def test_the_declared_deployments_of_this_project() -> None:
    declared = declared_deployments(given())
    assert sorted(item.name for item in declared) == [f"aqi-{name}" for name in NAMES]
    hourly = one(given(), "hourly")
    assert hourly.key == ("materialize", "aqi-hourly")
    assert hourly.properties.parameters == {"selection": "*", "hourly": True}
    assert hourly.properties.parameter_schema == parameter_schema("materialize")
    assert hourly.properties.entrypoint == "orchestration.flows.materialize"
    assert hourly.properties.tags == ("aqi", "aqi-environment:default")
    assert (hourly.properties.pool, hourly.properties.limit, hourly.properties.collision) == ("aqi", 1, "CANCEL_NEW")
    assert hourly.schedules == {"hourly": Schedule("0 * * * *", "Asia/Ho_Chi_Minh")}
    backfill = one(given(), "backfill")
    assert (backfill.properties.limit, backfill.properties.collision) == (1, "ENQUEUE")
    assert (one(given(), "gold").properties.limit, one(given(), "gold").properties.collision) == (None, None)


def test_an_environment_ends_the_names_and_is_a_tag() -> None:
    settings = given({"backfill": {"pool": "heavy"}}, environment="dev")
    assert [deployment_name(settings, "hourly"), pool_name(settings), pool_name(settings, "heavy")] == [
        "aqi-hourly-dev",
        "aqi-dev",
        "heavy-dev",
    ]
    assert environment_tags(settings) == ("aqi", "aqi-environment:dev")
    assert one(settings, "backfill").name == "aqi-backfill-dev"
    assert one(settings, "backfill").properties.pool == "heavy-dev"
    assert one(settings, "hourly").properties.pool == "aqi-dev"


def test_null_takes_away() -> None:
    declared = declared_deployments(given({"hourly": None, "maintenance": {"schedules": {"weekly": None}}}))
    assert "aqi-hourly" not in [item.name for item in declared]
    assert not next(item for item in declared if item.flow == "maintenance").schedules


def test_a_profile_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file by its whole path: a worker runs elsewhere."""
    assert "profile" not in one(given(), "gold").properties.parameters
    assert one(given(profile="yarn"), "gold").properties.parameters["profile"] == "yarn"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yml").touch()
    (tmp_path / "other.yml").touch()
    mine = one(given(profile="mine.yml"), "gold").properties.parameters
    assert mine == {"selection": "layer:gold", "partitions": "last:2", "profile": str(tmp_path / "mine.yml")}
    of_its_own = given({"gold": {"parameters": {"profile": "other.yml"}}}, profile="mine.yml")
    assert one(of_its_own, "gold").properties.parameters["profile"] == str(tmp_path / "other.yml")


def test_days_of_yaml_are_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("deployments: {backfill: {parameters: {start_date: 2024-01-01, end_date: 2024-12-31}}}")
    parameters = one(load(str(file), {}), "backfill").properties.parameters
    assert (parameters["start_date"], parameters["end_date"]) == ("2024-01-01", "2024-12-31")


def test_pools_are_those_that_are_used_and_those_that_are_declared() -> None:
    settings = given({"backfill": {"pool": "heavy"}}, pools={"heavy": {"limit": 1}, "spare": {}}, environment="dev")
    some = declared_deployments(settings, ["backfill", "gold"])
    used = (Pool("aqi-dev"), Pool("heavy-dev", 1, converged=True))
    assert declared_pools(settings, some, everything=False) == used
    assert declared_pools(settings, some, everything=True) == (*used, Pool("spare-dev", None, converged=True))


def test_the_automation_is_of_one_environment() -> None:
    for environment, name, tag in (("", "aqi", "default"), ("dev", "aqi-dev", "dev")):
        automation = heartbeat_automation(given(environment=environment))
        assert automation.name == f"{name}: runs without a heartbeat are crashed"
        assert automation.values["trigger"]["match_related"]["prefect.resource.id"] == (
            f"prefect.tag.aqi-environment:{tag}"
        )


@pytest.mark.parametrize(
    ("deployments", "message"),
    [
        (
            {"gold": {"parameters": {"selektion": "*"}}},
            "deployments.gold.parameters: materialize: there is no parameter 'selektion'",
        ),
        (
            {"hourly": {"parameters": {"partitions": "last:2"}}},
            "deployments.hourly.parameters: materialize: hourly decides by itself what is made: partitions does not go",
        ),
        ({"gold": {"parameters": {"partitions": "last week"}}}, "deployments.gold.parameters: "),
        ({"gold": {"parameters": {"selection": "gold.fact_nothing"}}}, "deployments.gold.parameters: "),
        (
            {"gold": {"parameters": {"locations": "hanoy"}}},
            "deployments.gold.parameters: location 'hanoy' is unknown",
        ),
        (
            {"gold": {"parameters": {"profile": "yarm"}}},
            "deployments.gold.parameters: profile: 'yarm' is unknown",
        ),
        (
            {"backfill": {"parameters": {"start_date": "2024-13-01"}}},
            "deployments.backfill.parameters: backfill: start_date must be a day",
        ),
        (
            {"backfill": {"schedules": {"daily": {"cron": "0 0 * * *"}}}},
            "deployments.backfill.schedules: a scheduled run would lack start_date and end_date",
        ),
        (
            {"hourly": {"schedules": {"hourly": {"cron": "61 * * * *"}}}},
            "deployments.hourly.schedules.hourly.cron: '61 * * * *' is no cron expression",
        ),
        ({"A/B": {"flow": "maintenance"}}, "deployments: the name 'A/B' must be"),
    ],
)
def test_a_wrong_declaration_is_named(deployments: dict[str, Any], message: str) -> None:
    said, remedy = refusal(deployments)
    assert said.startswith(message)
    assert remedy
    with pytest.raises(ConfigurationError):
        declared_deployments(given(deployments))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert refusal({}, ["hourl"]) == ("the deployment 'hourl' is unknown", "Did you mean 'hourly'?")
    assert refusal({}, ["aqi-hourly"])[1] == "Did you mean 'hourly'?"
    assert refusal({"hourly": None}, ["zzz"])[1] == (
        "Declared are backfill, bronze, everything, gold, maintenance, silver."
    )
    with pytest.raises(UsageError):
        declared_deployments(given(), ["gold", "nothing"])


# --- the command, as far as it goes without a server -----------------------------------------------


def test_calls_that_make_no_sense(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(aqi.folder.parent / "prefect"))
    assert aqi.refusal("deploy") == ("which deployments?", "Name them, or add --all.")
    assert aqi.refusal("deploy", "hourly", "--prune")[0].startswith("--prune is for all")
    assert aqi.refusal("deploy", "--all", "hurly") == ("the deployment 'hurly' is unknown", "Did you mean 'hourly'?")
    message, remedy = aqi.refusal("deploy", "--all")
    assert message == "no Prefect server is named"
    assert "`prefect server start`" in remedy
    assert "export PREFECT_API_URL=http://127.0.0.1:4200/api" in remedy

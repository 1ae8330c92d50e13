"""The ``@asset`` decorator: what a right declaration becomes, and every wrong one with its exact message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset, asset, check_source
from orchestration.core.declarations.checks import Check
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.mappings import AllPartitions, Identity, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation, PartitionScheme
from tests.support.schemes import Weeks

DAILY = DailyByLocation()


def test_a_right_declaration() -> None:
    check = Check("hours_missing", False, lambda parameters: None)
    upstream = [Identity("silver.hours"), AllPartitions("gold.locations")]

    @asset(layer="gold", contract="Best", upstream=upstream, partitions=DAILY, tags=["fact"], checks=[check])
    def best_hours(hours: Any, locations: Any, *, episode_rule: Any, calendar: Any) -> Any:
        """The best hour of a day.

        And more about it.
        """
        return hours if episode_rule == calendar else locations

    assert isinstance(best_hours, Asset)
    assert (best_hours.key, best_hours.layer, best_hours.name) == ("gold.best_hours", "gold", "best_hours")
    assert best_hours.description == "The best hour of a day.\n\nAnd more about it."
    assert best_hours.upstream == tuple(upstream)
    assert best_hours.upstream_keys == ("silver.hours", "gold.locations")
    assert best_hours.parameters == ("episode_rule", "calendar")
    assert (best_hours.source, best_hours.partitions, best_hours.contract) == (None, DAILY, "Best")
    assert (best_hours.tags, best_hours.checks) == (frozenset({"fact"}), (check,))
    assert best_hours.function("rows", None, episode_rule=None, calendar=None) == "rows"


def test_an_asset_with_a_source_takes_the_fetched_rows_by_that_name() -> None:
    @asset(layer="bronze", contract="Hours", source="feed", partitions=DAILY)
    def raw_hours(feed: Any) -> Any:
        """Hours."""

    assert (raw_hours.source, raw_hours.upstream, raw_hours.parameters) == ("feed", (), ())


def test_an_asset_without_upstream_and_source_takes_parameters_alone() -> None:
    @asset(layer="gold", contract="Days")
    def days(*, calendar: Any) -> Any:
        """Days."""
        return calendar

    assert (days.source, days.upstream, days.partitions, days.parameters) == (None, (), None, ("calendar",))


# --- wrong ones -----------------------------------------------------------------------------------

HOURS, LOCATIONS = Identity("silver.hours"), AllPartitions("gold.locations")


def nothing() -> Any:
    """Text."""


def takes_hours(hours: Any) -> Any:
    """Text."""


def takes_locations_and_hours(locations: Any, hours: Any) -> Any:
    """Text."""


def takes_all(hours: Any, *others: Any) -> Any:
    """Text."""


def takes_any_keyword(hours: Any, **others: Any) -> Any:
    """Text."""


def takes_a_parameter_as_upstream(hours: Any, calendar: Any) -> Any:
    """Text."""


def without_description(hours: Any) -> Any:
    pass


def with_an_empty_description(hours: Any) -> Any:
    """ """


def Hours(hours: Any) -> Any:
    """Text."""


def stündlich(hours: Any) -> Any:
    """Text."""


def not_taken(key: str, name: str) -> tuple[str, str]:
    return (
        f"asset {key}: upstream {name!r} is declared but the function does not take it",
        f"Add an argument {name!r}, or remove it from `upstream`.",
    )


def no_upstream(key: str, name: str, declared: str) -> tuple[str, str]:
    return (
        f"asset {key}: argument {name!r} is no upstream asset of it",
        f"Declared upstream: {declared}. "
        "Add the asset to `upstream`, or make the argument keyword-only if it is a parameter.",
    )


@pytest.mark.parametrize(
    ("function", "declaration", "message", "remedy"),
    [
        (nothing, {"upstream": [HOURS]}, *not_taken("gold.nothing", "hours")),
        (nothing, {"source": "feed"}, *not_taken("gold.nothing", "feed")),
        (takes_hours, {}, *no_upstream("gold.takes_hours", "hours", "none")),
        (takes_hours, {"upstream": [HOURS, LOCATIONS]}, *not_taken("gold.takes_hours", "locations")),
        (
            takes_a_parameter_as_upstream,
            {"upstream": [HOURS]},
            *no_upstream("gold.takes_a_parameter_as_upstream", "calendar", "hours"),
        ),
        (takes_all, {"upstream": [HOURS]}, *no_upstream("gold.takes_all", "others", "hours")),
        (takes_any_keyword, {"upstream": [HOURS]}, *no_upstream("gold.takes_any_keyword", "others", "hours")),
        (
            takes_locations_and_hours,
            {"upstream": [HOURS, LOCATIONS]},
            "asset gold.takes_locations_and_hours: arguments are in another order than `upstream`",
            "Write them as hours, locations.",
        ),
        (
            without_description,
            {"upstream": [HOURS]},
            "asset gold.without_description: has no description",
            "Give the function a docstring.",
        ),
        (
            with_an_empty_description,
            {"upstream": [HOURS]},
            "asset gold.with_an_empty_description: has no description",
            "Give the function a docstring.",
        ),
        (
            takes_hours,
            {"upstream": [HOURS], "source": "feed"},
            "asset gold.takes_hours: has both a source (feed) and upstream assets",
            "An asset is either fetched or made from others: split it into two.",
        ),
        (
            takes_hours,
            {"upstream": [HOURS], "layer": "platinum"},
            "asset platinum.takes_hours: layer must be one of bronze, silver, gold (got 'platinum')",
            "",
        ),
        (
            Hours,
            {"upstream": [HOURS]},
            "asset gold.Hours: a name must be lower-case letters, digits and _ (got 'Hours')",
            "Rename the function.",
        ),
        (
            stündlich,
            {"upstream": [HOURS]},
            "asset gold.stündlich: a name must be lower-case letters, digits and _ (got 'stündlich')",
            "Rename the function.",
        ),
    ],
)
def test_a_wrong_declaration(
    function: Callable[..., Any], declaration: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        asset(**{"layer": "gold", "contract": "C", **declaration})(function)
    assert (caught.value.message, caught.value.remedy) == (message, remedy)


def test_a_run_window_takes_its_upstream_by_name_like_any_other() -> None:
    window = RunWindow("silver.hours", column="aqi", at_least="episode_rule.threshold")
    assert asset(layer="gold", contract="C", upstream=[window], partitions=DAILY)(takes_hours).upstream == (window,)


def test_a_source_is_known_and_the_function_calls_it_by_its_name() -> None:
    made = asset(layer="gold", contract="C", source="feed")(takes_hours)
    with pytest.raises(DeclarationError) as unknown:
        check_source(made, {"hours", "meters"})
    assert unknown.value.message == "asset gold.takes_hours: its source 'feed' is unknown"
    assert unknown.value.remedy == "Known sources are hours, meters."
    with pytest.raises(DeclarationError) as named:
        check_source(made, {"feed"})
    assert (named.value.message, named.value.remedy) == no_upstream("gold.takes_hours", "hours", "feed")
    check_source(asset(layer="gold", contract="C", source="hours", partitions=DAILY)(takes_hours), {"hours"})


@pytest.mark.parametrize("partitions", [None, Weeks()])
def test_a_source_is_asked_for_utc_days(partitions: PartitionScheme | None) -> None:
    made = asset(layer="gold", contract="C", source="hours", partitions=partitions)(takes_hours)
    with pytest.raises(DeclarationError) as refused:
        check_source(made, {"hours"})
    assert refused.value.message.startswith("asset gold.takes_hours: its source hours is asked for UTC days")

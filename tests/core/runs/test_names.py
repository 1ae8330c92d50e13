"""What runs and tasks are called: for people, without a star, null or a moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.runs.names import fetch_name, run_name, step_name


@pytest.mark.parametrize(
    ("selection", "which", "locations", "name"),
    [
        ("*", ("2025-08-06..2025-08-09",), (), "all tables · 2025-08-06..2025-08-09"),
        (" * ", ("hourly",), (), "all tables · hourly"),
        ("gold.dim_date", (None,), (), "gold.dim_date"),
        ("gold.fact_*", ("2025-08",), (), "gold.fact_* · 2025-08"),
        (
            "+x",
            ("2025-01-01..2025-03-31", "weekly"),
            ("vinh", "hue"),
            "+x · 2025-01-01..2025-03-31 · weekly · hue, vinh",
        ),
        ("*", ("last:7",), ("a", "b", "c", "d"), "all tables · last:7 · 4 locations"),
        ("*", ("last:7",), ("hue", " hue", ""), "all tables · last:7 · hue"),
        ("a or\n  b", (), (), "a or b"),
        ("a.x or b.x or c.x or d.x", ("2025-08",), (), "4 tables · 2025-08"),
        ("a.x or b.x or c.x or +d.x", ("2025-08",), (), "a.x or b.x or c.x or +d.x · 2025-08"),
    ],
)
def test_what_a_run_is_called(
    selection: str, which: tuple[str | None, ...], locations: tuple[str, ...], name: str
) -> None:
    assert run_name(selection, *which, locations=locations) == name


@given(st.text(min_size=1), st.lists(st.none() | st.text()), st.lists(st.text()))
def test_a_name_has_no_part_that_is_empty_and_is_not_the_star(
    selection: str, which: list[str | None], locations: list[str]
) -> None:
    name = run_name(selection, *which, locations=locations)
    assert name != "*"
    assert "None" not in name or "None" in "".join([selection, *filter(None, which), *locations])


def test_a_step_is_called_by_its_asset_and_its_chunk() -> None:
    def step(chunk: str = "") -> Step:
        return Step("s", "gold.x", PartitionSet.null(), PartitionSet.empty(), (), None, "missing", chunk=chunk)

    assert step_name(step()) == "gold.x"
    assert step_name(step("2025-08")) == "gold.x · 2025-08"
    assert fetch_name("hue", "2025-08") == "fetch hue · 2025-08"

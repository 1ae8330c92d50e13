"""The provider's scale changes between two runs: the second names the first day, and the watch; no day is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import in_shared
from tests.support import oracle
from tests.support.aqi_process import Commands
from tests.support.field_server import FieldServer

pytestmark = pytest.mark.prefect

HANOI = ("--locations", "hanoi")
OLD, NEW = "08_four_days_old_breakpoints.json", "08_four_days_new_breakpoints.json"
CHANGED = (
    "the provider's PM2.5 scale changed on 2025-09-02 at hanoi: from then on it is the scale used since July 2026, or "
    "the scale used since September 2026; the days before follow the scale used until July 2026."
)


@pytest.fixture
def at(server: str, tmp_path: Path) -> Iterator[Callable[[str, str], Commands]]:
    """Commands at a moment, with a provider that has a file."""
    folder = in_shared("field", "the answers of a bad day")
    serving: list[FieldServer] = []

    def make(now: str, file: str) -> Commands:
        serving.append(FieldServer(folder, tmp_path / f"served{len(serving)}.log", file).__enter__())
        environment = {"PREFECT_API_URL": server, "AQI_ENGINE": "embedded", "AQI_CLOCK__NOW": now}
        return Commands(tmp_path, tmp_path / "warehouse", serving[-1].url, environment)

    yield make
    for one in serving:
        one.__exit__(None, None, None)


def test_the_first_day_of_another_scale_is_named(at: Callable[[str, str], Commands]) -> None:
    first = at("2025-09-02T06:00:00Z", OLD).json("materialize", oracle.BRONZE, "--partitions", "2025-09-01", *HANOI)
    assert "scale" not in str(first["steps"][0]["notes"])
    aqi = at("2025-09-04T06:00:00Z", NEW)
    [step] = aqi.json("materialize", oracle.BRONZE, "--hourly", *HANOI)["steps"]
    assert (step["state"], step["failed"]) == ("written", [])
    assert [note for note in step["notes"] if note.startswith(CHANGED)]
    [incident] = [one for one in aqi.json("watch", "--once", status=1) if one["kind"] == "scale"]
    assert incident["title"] == f"the provider's PM2.5 scale changed on 2025-09-02 in {oracle.BRONZE}"
    assert CHANGED in incident["text"]

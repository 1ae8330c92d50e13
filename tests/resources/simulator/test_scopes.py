"""What faults are confined to, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from orchestration.core.errors import UsageError
from resources.simulator.faults import FAULTS, Asked, Fault, exchange_faults, parse_faults
from resources.simulator.requests import AskedLocation
from resources.simulator.scope import Scope
from tests.support.simulated_api import DANANG, HANOI, HCMC

LOCATIONS = {"hanoi": HANOI, "hcmc": HCMC}


def hour(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() // 3600)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("error@hanoi", Fault("error", 1, Scope(locations=(HANOI,)))),
        ("error:0.5@hanoi@hcmc", Fault("error", 0.5, Scope(locations=(HANOI, HCMC)))),
        ("refuse@21.0278/105.8342@-3.5/-70", Fault("refuse", 1, Scope(locations=(HANOI, (-3.5, -70.0))))),
        ("error@3x", Fault("error", 1, Scope(times=3))),
        ("nulls@pm2_5@pm10", Fault("nulls", 1, Scope(variables=("pm2_5", "pm10")))),
        ("limit_400@day", Fault("limit_400", 1, Scope(limit="day"))),
        ("proxy@522", Fault("proxy", 1, Scope(status=522))),
        ("clock@-90m", Fault("clock", 1, Scope(offset=timedelta(minutes=-90)))),
        ("clock@+2h", Fault("clock", 1, Scope(offset=timedelta(hours=2)))),
        ("domain_refused@cams_europe", Fault("domain_refused", 1, Scope(domain="cams_europe"))),
        ("withdrawn@2025-09-10T05", Fault("withdrawn", 1, Scope(hours=(hour("2025-09-10T05"),) * 2))),
        (
            "withdrawn@2025-09-10T05..2025-09-11T00@hanoi",
            Fault("withdrawn", 1, Scope((HANOI,), (hour("2025-09-10T05"), hour("2025-09-11T00")))),
        ),
        ("frozen@2025-09-10", Fault("frozen", 1, Scope(hours=(hour("2025-09-10T00"), hour("2025-09-10T23"))))),
        (
            "nulls@2025-09-08..2025-09-10",
            Fault("nulls", 1, Scope(hours=(hour("2025-09-08T00"), hour("2025-09-10T23")))),
        ),
    ],
)
def test_scopes_are_parsed(text: str, fault: Fault) -> None:
    assert parse_faults(text, LOCATIONS) == (fault,)
    assert parse_faults(f"slow, {text} ", LOCATIONS) == (Fault("slow"), fault)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error@hanoy", "unknown word 'hanoy' of fault error\n  Did you mean 'hanoi'?"),
        ("nulls@pm25", "unknown word 'pm25' of fault nulls\n  Did you mean 'pm"),
        ("error@", "unknown word '' of fault error"),
        ("error@pm2_5", "fault error has no use for 'pm2_5'\n  What it can be confined to: hours, locations, times."),
        ("nulls@3x", "fault nulls has no use for '3x'"),
        ("die:3@hanoi", "fault die has no use for 'hanoi'\n  What it can be confined to: none."),
        ("error@522", "fault error has no use for '522'"),
        ("proxy@525", "unknown word '525' of fault proxy"),
        ("limit@day", "fault limit has no use for 'day'"),
        ("limit_429@day@hour", "fault limit_429 is confined twice ('hour')\n  Name the fault once for each."),
        ("nulls@2025-09-01@2025-09-03", "fault nulls is confined twice ('2025-09-03')"),
        ("nulls@2025-09-31", "'2025-09-31' of fault nulls cannot be read (day is out of range for month)"),
        ("nulls@2025-09-03..2025-09-01", "cannot be read (it ends before it begins)"),
        ("error@0x", "'0x' of fault error cannot be read (at least once)"),
        ("error@hanoi:0.5", "unknown word 'hanoi:0.5' of fault error"),
        ("eror@hanoi", "unknown fault 'eror'\n  Did you mean 'error'?"),
    ],
)
def test_impossible_scopes(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_faults(text, LOCATIONS)
    assert message in str(caught.value)


def test_a_fault_that_is_made_is_checked_too() -> None:
    with pytest.raises(UsageError, match="fault error cannot be confined to variables"):
        Fault("error", 1, Scope(variables=("pm2_5",)))


DAY = (date(2025, 9, 10), date(2025, 9, 12))


def asked(*degrees: tuple[float, float], **more: object) -> Asked:
    return Asked([AskedLocation(*at, *DAY) for at in degrees], **{"variables": ["pm2_5"], **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "request_", "hit"),
    [
        ("error", Asked(), True),
        ("error@hanoi", Asked(), False),
        ("error@hanoi", asked(HANOI), True),
        ("error@hanoi", asked(HCMC, HANOI), True),
        ("error@hanoi", asked(HCMC, DANANG), False),
        ("error@21.0278/105.8342", asked(HANOI), True),
        ("error@2025-09-12", asked(HANOI), True),
        ("error@2025-09-09", asked(HANOI), False),
        ("error@2025-09-13..2025-09-20", asked(HANOI), False),
        ("error@2025-09-11@hcmc", asked(HANOI), False),
        ("variable_refused@pm2_5", asked(HANOI), True),
        ("variable_refused", asked(HANOI), False),
        ("variable_refused", asked(HANOI, variables=["pm2_5", "carbon_dioxide"]), True),
        ("domain_refused", asked(HANOI), False),
        ("domain_refused", asked(HANOI, domain="cams_global"), True),
        ("domain_refused@cams_europe", asked(HANOI, domain="cams_global"), False),
        ("domain_refused@cams_europe@hcmc", asked(HCMC, domain="cams_europe"), True),
    ],
)
def test_which_requests_are_hit(text: str, request_: Asked, hit: bool) -> None:
    faults = parse_faults(text, LOCATIONS)
    assert exchange_faults(faults, 1, request_) == (list(faults) if hit else [])


def test_a_rate_is_drawn_by_number_and_seed_whatever_stands_beside() -> None:
    def hits(text: str, seed: int = 0) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number in range(400):
            for fault in exchange_faults(parse_faults(text), number, Asked(), seed):
                found.setdefault(fault.name, []).append(number)
        return found

    alone = hits("error:0.2")["error"]
    assert hits("drop:0.4,error:0.2")["error"] == alone
    assert 50 < len(alone) < 110
    other = hits("error:0.2", seed=7)["error"]
    assert 50 < len(other) < 110
    assert other != alone
    # As it was drawn when there were nine faults and no seed.
    assert [number for number in alone if number < 40] == [0, 3, 5, 7, 33, 34]
    assert [number for number in hits("drop:0.2")["drop"] if number < 40] == [4, 8, 14, 15, 23, 27, 29, 37]


def test_every_fault_can_be_confined_to_a_location_but_die() -> None:
    for name in FAULTS:
        if name != "die":
            assert parse_faults(f"{name}@hanoi", LOCATIONS)[0].only.locations == (HANOI,)


def test_hours_of_a_scope() -> None:
    hours = np.arange(hour("2025-09-10T00"), hour("2025-09-11T00"))
    (fault,) = parse_faults("nulls@2025-09-10T05..2025-09-10T07")
    assert np.flatnonzero(fault.only.of_hours(hours)).tolist() == [5, 6, 7]
    assert Scope().of_hours(hours).all()

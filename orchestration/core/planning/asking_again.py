"""When a source is asked again for a day whose values were incomplete. The older the day, the longer the pauses.

Pure: the moment comes in as a value. Days are UTC days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestration.core.calendar import DAY, day_of, hour_of

DAILY_DAYS = 10
"""Up to this age, in days, an incomplete day is asked for once a day; an older one every third day."""


def pause_before(age_days: int, incomplete_days: int) -> timedelta | None:
    """How long to wait before an incomplete day of this age is asked for again; None: never again, the day is given up.

    incomplete_days: days older than this are given up.

    | age in days | with 30 | with 5 |
    |-------------|---------|--------|
    | 0..5        | 1 day   | 1 day  |
    | 6..10       | 1 day   | never  |
    | 11..30      | 3 days  | never  |
    | 31          | never   | never  |
    """
    if age_days > incomplete_days:
        return None
    return DAY if age_days <= DAILY_DAYS else 3 * DAY


def is_due(day: date, asked: datetime | None, now: datetime, incomplete_days: int) -> bool:
    """Whether an incomplete day is to be asked for at ``now``. asked: when it was last asked for; None where that is
    not known.

    Pauses are counted in whole hours, so that a run that starts a minute earlier than the day before does not skip the
    day. An ``asked`` that lies after ``now`` counts as not known.
    """
    pause = pause_before((day_of(now) - day).days, incomplete_days)
    if pause is None:
        return False
    return asked is None or asked > now or hour_of(now) - hour_of(asked) >= pause

"""When a source is asked again for a day of which it did not have everything: with pauses that grow with its age.

Pure: the moment comes in as a value. Days are UTC days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestration.core.calendar import DAY, day_of, hour_of

DAILY_DAYS = 10
"""A day is asked for once a day until it is so many days old, and every third day from then on."""


def pause_before(age_days: int, incomplete_days: int) -> timedelta | None:
    """How long a day of this age is left alone after it was asked for; None: it is given up.

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
    """Whether an incomplete day is to be asked for at ``now``. asked: when it was last; None where nobody knows.

    Pauses are counted from hour to hour, so that a run that starts a minute earlier than the day before does not wait
    for the next one. A moment that has not come yet is none.
    """
    pause = pause_before((day_of(now) - day).days, incomplete_days)
    if pause is None:
        return False
    return asked is None or asked > now or hour_of(now) - hour_of(asked) >= pause

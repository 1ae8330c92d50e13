"""The dimensions: days, hours, locations, pollutants."""

from datetime import date

from tests.support.oracle.identifiers import date_key, time_key
from tests.support.oracle.names import COLUMNS, DAY, DIM_LOCATION, DIM_POLLUTANT, POLLUTANTS, Row

# English names spelled out: calendar.month_name follows the machine's locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def dim_date(first: date = date(2022, 1, 1), last: date = date(2030, 12, 31)) -> list[Row]:
    """gold.dim_date from first to last, both included."""
    out = []
    day = first
    while day <= last:
        out.append(
            {
                "date_key": date_key(day),
                "date_value": day,
                "day_of_month": day.day,
                "day_of_week": day.isoweekday(),
                "week_of_year": day.isocalendar().week,
                "month": day.month,
                "month_name": _MONTHS[day.month - 1],
                "quarter": (day.month - 1) // 3 + 1,
                "year": day.year,
                "is_weekend": day.isoweekday() in (6, 7),
            }
        )
        day += DAY
    return out


def dim_time() -> list[Row]:
    """gold.dim_time: 24 hours."""
    out = []
    for hour in range(24):
        if hour <= 5:
            shift = "night"
        elif hour <= 11:
            shift = "morning"
        elif hour <= 17:
            shift = "afternoon"
        else:
            shift = "evening"
        out.append({"time_key": time_key(hour), "time_value": f"{hour:02d}:00", "hour": hour, "work_shift": shift})
    return out


def dim_location() -> list[Row]:
    """gold.dim_location as DATA_MODEL configures it, sorted by its key."""
    zone = "Asia/Ho_Chi_Minh"
    rows = [
        ("danang", "Đà Nẵng", 16.0544, 108.2022, zone),
        ("hanoi", "Hà Nội", 21.0278, 105.8342, zone),
        ("hcmc", "TP.HCM", 10.8231, 106.6297, zone),
    ]
    return [dict(zip(COLUMNS[DIM_LOCATION], row, strict=True)) for row in rows]


def dim_pollutant() -> list[Row]:
    """gold.dim_pollutant as DATA_MODEL configures it, in the specification's order."""
    return [dict(zip(COLUMNS[DIM_POLLUTANT], row, strict=True)) for row in POLLUTANTS]

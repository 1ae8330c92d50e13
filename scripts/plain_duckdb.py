"""What a user could write instead: the ten tables by DuckDB and deltalake, without assets, plan, checks or resume.

    python scripts/plain_duckdb.py ANSWERS TABLES FROM TO

ANSWERS is a folder of recorded answers, a file a location. A yardstick for ``make bench``, nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from assets.variables import INDEXES, MEASURED

HOURLY = """
SELECT *, lower(md5(location_key || '|' || ts_utc)) AS record_id,
  CASE greatest(aqi_pm25, aqi_pm10, aqi_o3, aqi_no2, aqi_so2, aqi_co)
    WHEN aqi_pm25 THEN 'pm25' WHEN aqi_pm10 THEN 'pm10' WHEN aqi_o3 THEN 'o3'
    WHEN aqi_no2 THEN 'no2' WHEN aqi_so2 THEN 'so2' WHEN aqi_co THEN 'co' END AS dominant_pollutant,
  ((pm25 IS NOT NULL)::INT + (pm10 IS NOT NULL)::INT + (o3 IS NOT NULL)::INT + (no2 IS NOT NULL)::INT
   + (so2 IS NOT NULL)::INT + (co IS NOT NULL)::INT) * 100.0 / 6 AS data_completeness
FROM silver"""
DAILY = """
SELECT location_key, date_utc, max(aqi) AS aqi_daily_max, count(aqi) AS hours_measured,
  max_by(dominant_pollutant, aqi) AS dominant_pollutant_daily,
  count(*) FILTER (aqi <= 50) AS good, count(*) FILTER (aqi BETWEEN 51 AND 100) AS moderate,
  count(*) FILTER (aqi BETWEEN 101 AND 150) AS usg, count(*) FILTER (aqi BETWEEN 151 AND 200) AS unhealthy,
  count(*) FILTER (aqi BETWEEN 201 AND 300) AS very_unhealthy, count(*) FILTER (aqi > 300) AS hazardous
FROM hourly GROUP BY ALL"""
EPISODES = """
SELECT location_key, min(ts_utc) AS start_ts_utc, max(ts_utc) AS end_ts_utc, count(*) AS duration_hours,
  max(aqi) AS peak_aqi, min(ts_utc)::DATE AS start_date_utc
FROM (SELECT *, epoch(ts_utc) - 3600 * row_number() OVER (PARTITION BY location_key ORDER BY ts_utc) AS run
      FROM hourly WHERE aqi >= 151)
GROUP BY location_key, run HAVING count(*) >= 4"""
TABLES = {
    "bronze": "SELECT *, now() AS _ingested_at FROM raw",
    "silver": "SELECT *, strftime(date_utc, '%Y%m%d')::INT AS date_key, hour(ts_utc)::INT * 100 AS time_key FROM raw",
    "quarantine": "SELECT * FROM raw WHERE pm25 < 0",
    "hourly": HOURLY,
    "daily": DAILY,
    "episodes": EPISODES,
    "dim_date": "SELECT DISTINCT date_key, date_utc FROM silver",
    "dim_time": "SELECT range * 100 AS time_key, range AS hour FROM range(24)",
    "dim_location": "SELECT DISTINCT location_key, latitude, longitude FROM raw",
    "dim_pollutant": "SELECT unnest(['pm25', 'pm10']) AS pollutant_code",
}


def raw(answers: Path, first: str, last: str) -> pa.Table:
    """The hours of all answers, a row each."""
    tables = []
    for file in sorted(answers.glob("*.json")):
        answer = json.loads(file.read_text())
        hours = answer["hourly"]
        keep = [index for index, hour in enumerate(hours["time"]) if first <= hour[:10] <= last]
        columns = {
            one.column: pa.array(
                [hours[one.name][index] for index in keep], pa.int32() if one.column.startswith("aqi") else pa.float64()
            )
            for one in (*INDEXES, *MEASURED)
        }
        said = {"location_key": [file.stem] * len(keep), "ts": [hours["time"][index] for index in keep]}
        said |= {name: [answer[name]] * len(keep) for name in ("latitude", "longitude")}
        tables.append(pa.table(said | columns))
    return pa.concat_tables(tables)


def main() -> None:
    """The command."""
    answers, folder, first, last = sys.argv[1:5]
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.register("sent", raw(Path(answers), first, last))
    database.execute(
        "CREATE TABLE raw AS SELECT * EXCLUDE ts, strptime(ts, '%Y-%m-%dT%H:%M')::TIMESTAMPTZ AS ts_utc, "
        "ts[:10]::DATE AS date_utc FROM sent"
    )
    for name, query in TABLES.items():
        database.execute(f"CREATE TABLE {name} AS {query}" if name != "raw" else "")
        write_deltalake(f"{folder}/{name}", database.table(name).arrow(), mode="overwrite")


if __name__ == "__main__":
    main()

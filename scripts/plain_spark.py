"""What a user could write instead: the ten tables by one plain, tuned PySpark script, without assets, plan or checks.

    python scripts/plain_spark.py ANSWERS TABLES FROM TO JARS [HEAP]

ANSWERS is a folder of recorded answers, a file a location; JARS holds Delta's Java libraries; HEAP: of the driver, 2g.
A yardstick for ``make bench``, nothing else, and so without anything of the project: it knows its names by itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

INDEXES = {"us_aqi": "aqi", "us_aqi_pm2_5": "aqi_pm25", "us_aqi_pm10": "aqi_pm10", "us_aqi_nitrogen_dioxide": "aqi_no2"}
INDEXES |= {"us_aqi_ozone": "aqi_o3", "us_aqi_sulphur_dioxide": "aqi_so2", "us_aqi_carbon_monoxide": "aqi_co"}
MEASURED = {"pm2_5": "pm25", "pm10": "pm10", "ozone": "o3", "nitrogen_dioxide": "no2", "sulphur_dioxide": "so2"}
MEASURED |= {"carbon_monoxide": "co", "aerosol_optical_depth": "aod", "dust": "dust", "uv_index": "uv_index"}
MEASURED |= {"carbon_dioxide": "co2"}
DOMINANCE = ("pm25", "pm10", "no2", "o3", "so2", "co")
CATEGORIES = {"good": (0, 50), "moderate": (51, 100), "usg": (101, 150), "unhealthy": (151, 200)}
CATEGORIES |= {"very_unhealthy": (201, 300), "hazardous": (301, 9999)}


def session(jars: Path, heap: str) -> SparkSession:
    """A session tuned for small tables: few partitions, nothing adaptive, a JVM that starts fast."""
    conf: dict[str, bool | float | int | str | None] = {
        "spark.jars": ",".join(str(jar) for jar in jars.glob("*.jar")),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": heap,
    }
    spark = SparkSession.builder.master("local[2]").config(map=conf).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def raw(answers: Path, first: str, last: str) -> pa.Table:
    """The hours of all answers, a row each."""
    tables = []
    for file in sorted(answers.glob("*.json")):
        answer = json.loads(file.read_text())
        hours = answer["hourly"]
        keep = [index for index, hour in enumerate(hours["time"]) if first <= hour[:10] <= last]
        columns: dict[str, Any] = {
            "location_key": [file.stem] * len(keep),
            "ts": [hours["time"][index] for index in keep],
        }
        for names, kind in ((MEASURED, pa.float64()), (INDEXES, pa.int32())):
            for name, column in names.items():
                columns[column] = pa.array([hours[name][index] for index in keep], kind)
        columns |= {name: [answer[name]] * len(keep) for name in ("latitude", "longitude")}
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def main() -> None:
    """The command."""
    answers, tables, first, last, jars = sys.argv[1:6]
    spark = session(Path(jars), sys.argv[6] if len(sys.argv) > 6 else "2g")

    def write(frame: DataFrame, name: str) -> DataFrame:
        frame.write.format("delta").mode("overwrite").save(f"{tables}/{name}")
        return spark.read.format("delta").load(f"{tables}/{name}")

    instant = F.to_timestamp("ts", "yyyy-MM-dd'T'HH:mm")
    sent = spark.createDataFrame(raw(Path(answers), first, last)).withColumn("ts_utc", instant).drop("ts")
    dated = sent.withColumn("date_utc", F.to_date("ts_utc")).withColumn("_ingested_at", F.current_timestamp())
    bronze = write(dated, "bronze")
    date_key, time_key = F.date_format("date_utc", "yyyyMMdd").cast("int"), F.hour("ts_utc") * 100
    keyed = bronze.drop("_ingested_at").withColumn("date_key", date_key).withColumn("time_key", time_key)
    silver = write(keyed, "silver")
    write(silver.where("pm25 < 0"), "quarantine")
    ranks = [
        F.struct(F.coalesce(F.col(f"aqi_{code}"), F.lit(-1)).alias("v"), F.lit(-at).alias("o"), F.lit(code).alias("c"))
        for at, code in enumerate(DOMINANCE)
    ]
    present = sum((F.col(name).isNotNull().cast("int") for name in MEASURED.values()), F.lit(0))
    identified = silver.withColumn(
        "record_id", F.sha1(F.concat_ws("|", "location_key", F.col("ts_utc").cast("string")))
    )
    hourly = write(
        identified.withColumn("dominant_pollutant", F.greatest(*ranks)["c"]).withColumn(
            "data_completeness", present * 100.0 / len(MEASURED)
        ),
        "fact_hourly",
    )
    hours_in = [
        F.sum(F.col("aqi").between(low, high).cast("int")).alias(f"hours_in_cat_{name}")
        for name, (low, high) in CATEGORIES.items()
    ]
    worst = F.max_by("dominant_pollutant", "aqi").alias("dominant_pollutant_daily")
    facts = [F.max("aqi").alias("aqi_daily_max"), F.count("aqi").alias("hours_measured"), worst, *hours_in]
    write(hourly.groupBy("date_utc", "location_key").agg(*facts), "fact_daily")
    hours = Window.partitionBy("location_key").orderBy("ts_utc")
    run = F.unix_timestamp("ts_utc") - F.row_number().over(hours) * 3600
    ends = [F.min("ts_utc").alias("start_ts_utc"), F.max("ts_utc").alias("end_ts_utc")]
    counted = [F.count("*").alias("duration_hours"), F.max("aqi").alias("peak_aqi")]
    runs = hourly.where("aqi >= 151").withColumn("run", run).groupBy("location_key", "run").agg(*ends, *counted)
    begun = runs.where("duration_hours >= 4").withColumn("start_date_utc", F.to_date("start_ts_utc"))
    write(begun.drop("run"), "fact_episode")
    write(silver.select("date_key", F.col("date_utc").alias("date_value")).distinct(), "dim_date")
    write(spark.range(24).selectExpr("id * 100 time_key", "id hour"), "dim_time")
    write(spark.createDataFrame([("hanoi", 21.0)], "location_key string, latitude double"), "dim_location")
    write(spark.createDataFrame([("pm25", "24h")], "pollutant_code string, aqi_timespan string"), "dim_pollutant")


if __name__ == "__main__":
    main()

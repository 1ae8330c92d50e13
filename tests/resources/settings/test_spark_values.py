"""Settings of Spark that decide values: a profile may say none of them otherwise, whatever they are called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from resources.settings.spark_values import SPARK_VALUE_SETTINGS, VALUE_SETTINGS, first_wrong, wrong_with
from resources.spark.checks import check_session, check_submitted
from tests.support.cli_calls import Aqi
from tests.support.given_settings import given

OTHERS = {
    "spark.sql.ansi.enforceReservedKeywords": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.legacy.sizeOfNull": "true",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
    "spark.sql.pyspark.legacy.inferMapTypeFromFirstPair.enabled": "true",
    "spark.sql.storeAssignmentPolicy": "LEGACY",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    "spark.sql.parquet.datetimeRebaseModeInRead": "LEGACY",
    "spark.sql.parquet.int96RebaseModeInWrite": "LEGACY",
    "spark.sql.avro.datetimeRebaseModeInRead": "LEGACY",
    "spark.sql.parquet.int96TimestampConversion": "true",
    "spark.sql.parquet.binaryAsString": "true",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.datetime.java8API.enabled": "true",
    "spark.sql.session.localRelationCacheThreshold": "1",
    "spark.sql.files.ignoreCorruptFiles": "true",
    "spark.files.ignoreMissingFiles": "true",
    "spark.sql.groupByOrdinal": "false",
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
    "spark.sql.extensions": "org.example.Extension",
    "spark.sql.catalog.spark_catalog": "org.example.Catalog",
    "spark.remote": "sc://there",
    "spark.api.mode": "connect",
    "spark.master": "local[4]",
}
HARMLESS = {
    "spark.x": "3",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.files.maxPartitionBytes": "64m",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.storeAssignmentPolicy": "ansi",
    "spark.sql.extensions": "org.example.Extension, io.delta.sql.DeltaSparkSessionExtension",
    "spark.executor.cores": "4",
    "spark.local.dir": "/big",
}


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_a_profile_may_not_say_it(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"spark: conf: {name} must "):
        given({"spark": {"conf": {name: value}}})


def test_what_changes_no_values_may_be_said() -> None:
    assert given({"spark": {"conf": HARMLESS}}).spark.conf == HARMLESS


def test_our_own_are_allowed() -> None:
    assert first_wrong((VALUE_SETTINGS | SPARK_VALUE_SETTINGS).items()) == ""
    assert wrong_with("spark.sql.caseSensitive", "FALSE") == ""


def test_the_command_refuses_it_before_any_work(aqi: Aqi) -> None:
    conf = '{"spark.sql.ansi.enabled": "false"}'
    place, remedy = aqi.refusal("materialize", "*", "--partitions", "last:1", AQI_SPARK__CONF=conf, AQI_ENGINE="spark")
    assert "AQI_SPARK__CONF" in place
    assert "spark.sql.ansi.enabled must stay true: another value would make other rows" in place
    assert remedy


class Started:
    """A session with such a configuration, in a JVM with such an encoding."""

    def __init__(self, conf: dict[str, str], encoding: str = "UTF-8") -> None:
        self.conf = conf
        system = SimpleNamespace(getProperty=lambda _: encoding)
        self._jvm = SimpleNamespace(java=SimpleNamespace(lang=SimpleNamespace(System=system)))


def test_a_session_is_looked_at_when_it_has_started() -> None:
    wanted = VALUE_SETTINGS | SPARK_VALUE_SETTINGS
    session: Any = Started(wanted)
    check_session(session, wanted)
    session = Started(wanted | {"spark.sql.session.timeZone": "Asia/Kathmandu"})
    with pytest.raises(ConfigurationError, match=r"has spark.sql.session.timeZone=Asia/Kathmandu, and must have UTC"):
        check_session(session, wanted)
    session = Started(wanted, "ANSI_X3.4-1968")
    with pytest.raises(ConfigurationError, match=r"^LC_ALL: Java takes the names of files for ANSI_X3.4-1968"):
        check_session(session, wanted)


def test_spark_submit_may_not_be_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [("spark.master", "yarn"), ("spark.sql.legacy.sizeOfNull", "true")]
    monkeypatch.setattr("resources.spark.checks._submitted_gateway", lambda: SimpleNamespace(jvm=None))
    monkeypatch.setattr("pyspark.SparkConf", lambda **_: SimpleNamespace(getAll=lambda: told))
    with pytest.raises(ConfigurationError, match=r"^spark-submit was told otherwise: spark.sql.legacy.sizeOfNull must"):
        check_submitted()
    del told[1]
    check_submitted()

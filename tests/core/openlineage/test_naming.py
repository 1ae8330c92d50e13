"""What datasets and runs are called, by OpenLineage's naming conventions."""

from __future__ import annotations

from uuid import UUID

import pytest

from orchestration.core.openlineage.naming import Dataset, dataset_at, run_uuid, source_dataset


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("/data/lake/gold/days", "file", "/data/lake/gold/days"),
        ("/data/lake/gold/days/", "file", "/data/lake/gold/days"),
        ("/data/Ha Noi/gold/days", "file", "/data/Ha Noi/gold/days"),
        ("file:///data/lake/gold/days", "file", "/data/lake/gold/days"),
        ("file://nas/data/days", "file://nas", "/data/days"),
        ("hdfs://namenode:8020/lake/gold/days", "hdfs://namenode:8020", "/lake/gold/days"),
        ("hdfs://NameNode:8020/Lake", "hdfs://namenode:8020", "/Lake"),
        ("hdfs://cluster/lake/gold/days", "hdfs://cluster", "/lake/gold/days"),
        ("hdfs://user:pw@namenode:8020/lake", "hdfs://namenode:8020", "/lake"),
        ("s3a://bucket/lake/days", "s3://bucket", "lake/days"),
        ("gs://bucket/lake/days", "gs://bucket", "lake/days"),
        ("abfss://lake@account.dfs.core.windows.net/days", "abfss://account.dfs.core.windows.net", "/days"),
        ("hdfs://namenode:8020", "hdfs://namenode:8020", "/"),
    ],
)
def test_a_table(uri: str, namespace: str, name: str) -> None:
    assert dataset_at(uri) == Dataset(namespace, name)


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        ("https://gauges.example.org", "https://gauges.example.org", "gauges"),
        ("http://127.0.0.1:8765/v1", "http://127.0.0.1:8765", "gauges"),
        ("https://user:pw@Gauges.example.org/v1?key=1", "https://gauges.example.org", "gauges"),
        ("/data/rain", "file", "/data/rain"),
        ("hdfs://namenode:8020/rain", "hdfs://namenode:8020", "/rain"),
    ],
)
def test_a_source(address: str, namespace: str, name: str) -> None:
    assert source_dataset("gauges", address) == Dataset(namespace, name)


def test_a_run_has_the_same_id_every_time() -> None:
    """The value is fixed: receivers know runs by it."""
    assert run_uuid("20250820T060000-abcdef") == "b3225c5c-a1a1-57f7-96a0-bd643f17dfba"
    assert run_uuid("r", "gold.days") == run_uuid("r", "gold.days")
    ids = [run_uuid("r"), run_uuid("r", "gold.days"), run_uuid("r", "gold.days#2025-08"), run_uuid("s", "gold.days")]
    assert len(set(ids)) == len(ids)
    assert {UUID(one).version for one in ids} == {5}

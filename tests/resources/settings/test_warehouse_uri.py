"""Where a warehouse may lie: what looks like a URI and is none is refused, and is no folder of that name."""

from __future__ import annotations

import pytest

from resources.settings.warehouse_uri import a_warehouse


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("warehouse", "warehouse"),
        ("~/air", "~/air"),
        ("/data/air", "/data/air"),
        ("air:2024", "air:2024"),
        ("a:b/c", "a:b/c"),
        ("./hdfs:/air", "./hdfs:/air"),
        ("file:///data/air", "file:///data/air"),
        ("file:/data/air", "file:///data/air"),
        ("FILE:///data/air", "file:///data/air"),
        ("file://localhost/data/air", "file:///data/air"),
        ("hdfs://nn:8020/user/air", "hdfs://nn:8020/user/air"),
        ("HDFS://nn/air", "hdfs://nn/air"),
        ("hdfs:///user/air", "hdfs:///user/air"),
    ],
)
def test_what_is_taken(text: str, means: str) -> None:
    assert a_warehouse(text) == means
    assert a_warehouse(means) == means


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file:data/air", "must be a whole path behind file:, as file:///data/data/air"),
        ("file://data/air", "must be a folder of this machine, as file:///air; 'data' is a host"),
        ("file://~/air", "'~' is a host"),
        ("hdfs:/user/air", "three where none is named: hdfs:///user/air"),
        ("hdfs:user", "three where none is named: hdfs:///user"),
        ("s3:/bucket/air", "two slashes before a host"),
        ("htfs://nn/air", "must be a folder or begin with hdfs://: nothing here reads htfs://"),
        ("s3://bucket/air", "nothing here reads s3://"),
        ("", "must be a folder or a URI"),
        ("hdfs://nn/a b", "must have ASCII letters alone"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="must") as raised:
        a_warehouse(text)
    assert why in str(raised.value)

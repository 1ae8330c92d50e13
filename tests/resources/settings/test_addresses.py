"""Addresses in the settings whose host or port cannot be read: refused before any work, without what is secret."""

from __future__ import annotations

import pytest

from tests.support.given_settings import refused

BAD = ["//[::1", "//nn:99999/x", "//u:hunter2@nn:abc/x"]


@pytest.mark.parametrize("rest", BAD)
@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("AQI_WAREHOUSE__URI", "warehouse.uri"),
        ("AQI_YARN__ARCHIVES", "yarn.archives"),
        ("AQI_REPORT__PATH", "report.path"),
    ],
)
def test_a_uri_that_cannot_be_read(variable: str, key: str, rest: str) -> None:
    error = refused(**{variable: f"hdfs:{rest}"})
    assert error.message.startswith(f"the environment ({variable}): {key}: must be like hdfs://namenode:8020/folder")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("rest", [*BAD, "//", "///x", "//nn:0/x"])
@pytest.mark.parametrize(
    "variable", ["AQI_OPEN_METEO__BASE_URL", "AQI_OPENLINEAGE__URL", "AQI_ALERTS__WEBHOOKS__CHAT__URL"]
)
def test_an_address_that_cannot_be_asked(variable: str, rest: str) -> None:
    error = refused(**{variable: f"https:{rest}"})
    assert variable in error.message
    assert "must be" in error.message
    assert "hunter2" not in str(error)

"""Checks that a session of Spark has the settings that decide about rows, and that spark-submit got no others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import ConfigurationError
from resources.machine.environment import UTF8_LOCALE
from resources.settings.spark_values import SPARK_VALUE_SETTINGS, VALUE_SETTINGS, first_wrong

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def check_submitted() -> None:
    """Raises ConfigurationError where spark-submit was called with a setting that would make other rows.

    Starts no JVM: that of spark-submit runs already.
    """
    from pyspark import SparkConf

    submitted = SparkConf(loadDefaults=True, _jvm=_submitted_gateway().jvm).getAll()
    if wrong := first_wrong(submitted):
        raise ConfigurationError(f"spark-submit was told otherwise: {wrong}", "Leave it out of the call.")


@cache
def _submitted_gateway() -> Any:
    """The connection to the JVM of spark-submit."""
    from pyspark.java_gateway import launch_gateway

    return launch_gateway()  # type: ignore[no-untyped-call]


def check_session(session: SparkSession, conf: Mapping[str, str]) -> None:
    """Raises ConfigurationError where a setting that decides about rows has another value in the session than in
    ``conf``, or where the JVM does not encode the names of files as UTF-8."""
    for name in sorted(VALUE_SETTINGS.keys() | SPARK_VALUE_SETTINGS.keys()):
        found, wanted = session.conf.get(name), conf.get(name)
        if wanted is not None and str(found).lower() != wanted.lower():
            raise ConfigurationError(
                f"the Spark session has {name}={found}, and must have {wanted}",
                "Look at spark.conf of the profile: options of the driver's JVM go before.",
            )
    jvm: Any = session._jvm
    encoding = str(jvm.java.lang.System.getProperty("sun.jnu.encoding"))
    if encoding.upper() not in ("UTF-8", "UTF8"):
        raise ConfigurationError(
            f"LC_ALL: Java takes the names of files for {encoding}, and all of ours are UTF-8",
            f"Give this machine the locale {UTF8_LOCALE}.",
        )

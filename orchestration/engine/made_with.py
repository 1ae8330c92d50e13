"""With what the rows of a run are made: engine, versions, settings. It explains, and decides nothing.

It is not stored in tables, since freshness does not depend on it.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from resources.machine.environment import before
from resources.settings.load import Settings
from resources.settings.spark_values import SPARK_VALUE_SETTINGS, VALUE_SETTINGS

PACKAGES = {"embedded": "pysail", "spark": "pyspark"}


def made_with(settings: Settings) -> dict[str, str]:
    """Engine, versions, and the settings that decide values; and the names of shell variables that were ignored."""
    spark = SPARK_VALUE_SETTINGS if settings.engine == "spark" else {}
    package = PACKAGES[settings.engine]
    try:
        found = version(package)
    except PackageNotFoundError:  # which the engine itself tells
        found = ""
    said = ", ".join(sorted(before(os.environ)))
    return {
        "engine": settings.engine,
        package: found,
        "python": platform.python_version(),
        **VALUE_SETTINGS,
        **spark,
        **({"left out of the environment": said} if said else {}),
    }

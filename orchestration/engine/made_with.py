"""What a run's rows are made with, for the record: it explains, and decides nothing.

Not in tables: what is fresh does not hang on it.
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
    """Engine, versions and the settings that decide values; the names of variables that the shell said in vain."""
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

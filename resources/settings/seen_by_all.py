"""Which settings of Spark other users can read: on the command line of a JVM, or in a file that YARN writes beside a
container's log.

Must not know: profiles, sessions, which values are secret.
"""

from __future__ import annotations

_OPTIONS = "JavaOptions"
_OF_EXECUTORS = ("spark.auth", "spark.rpc", "spark.network", "spark.ssl", "spark.port.")
"""Spark gives the settings whose names begin so to executors on their command lines, and all whose names end in
``.port``. Source: ``SparkConf.isExecutorStartupConf``."""
_PORT = ".port"
_PASSWORD = "Password"  # noqa: S105 (Spark gives those to executors in another way)
_KEPT = ("spark.authenticate.secret",)
"""Spark gives these settings to executors in another way too."""
_FILE = ".file"
"""A setting whose name ends so holds the path of a secret, not the secret."""
_ENVIRONMENTS = ("spark.executorEnv.", "spark.yarn.appMasterEnv.")
"""The prefixes of settings that are environment variables of containers."""


def where_seen(name: str, *, on_yarn: bool) -> str:
    """Where other users can read the value of a setting, as the end of a sentence; empty where they cannot.

    name: the setting, by Spark's name. on_yarn: whether the session is on YARN.
    """
    if name.endswith(_OPTIONS) or (_is_for_executors(name) and name not in _KEPT and not name.endswith(_FILE)):
        return "it is on the command line of a JVM, which all users of its machine see"
    if on_yarn and name.startswith(_ENVIRONMENTS):
        return (
            "it is a variable of a container, which YARN writes into a file beside that container's log "
            "(what is called spark.hadoop.… reaches Spark's JVMs without)"
        )
    return ""


def _is_for_executors(name: str) -> bool:
    """Whether Spark gives the setting to executors on their command lines."""
    if name.startswith("spark.ssl") and _PASSWORD in name:
        return False
    return name.startswith(_OF_EXECUTORS) or (name.startswith("spark.") and name.endswith(_PORT))

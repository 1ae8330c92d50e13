"""Which settings of Spark's others can read: on the command line of a JVM, or in what YARN writes beside a log.

Must not know: profiles, sessions, which values are secret.
"""

from __future__ import annotations

_OPTIONS = "JavaOptions"
_OF_EXECUTORS = ("spark.auth", "spark.rpc", "spark.network", "spark.ssl", "spark.port.")
_PORT = ".port"
_PASSWORD = "Password"  # noqa: S105 (Spark gives those to executors in another way)
_KEPT = ("spark.authenticate.secret",)
"""What Spark gives to executors in another way too."""
_FILE = ".file"
"""How names end that say where a secret lies."""
_ENVIRONMENTS = ("spark.executorEnv.", "spark.yarn.appMasterEnv.")


def where_seen(name: str, *, on_yarn: bool) -> str:
    """Where others can read a setting's value, as the end of a sentence; empty where they cannot.

    What Spark gives to executors on their command lines is said by its own `SparkConf.isExecutorStartupConf`.
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
    if name.startswith("spark.ssl") and _PASSWORD in name:
        return False
    return name.startswith(_OF_EXECUTORS) or (name.startswith("spark.") and name.endswith(_PORT))

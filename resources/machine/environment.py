"""Decides which environment variables of a shell reach a run. Variables that would change Spark, Java, Python or the
embedded engine from what set-up pinned are left out.

Pure: mappings in, mappings out; ``shell`` changes the process. Imports the standard library alone, because it is used
before any package is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

LEFT_OUT = "_AQI_LEFT_OUT"
"""The variable in which a process tells its children which variables it left out: JSON, variable → what was done."""
UTF8, UTF8_LOCALE = "utf-8", "C.UTF-8"


class Rule(NamedTuple):
    """What is done about some environment variables."""

    names: tuple[str, ...]
    """Patterns of the variables' names, for instance ``SPARK_*``."""
    done: str
    """What is done about such a variable, in words for people."""

    def holds(self, name: str) -> bool:
        """Whether the rule is about the variable ``name``."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


OF_THE_NETWORK = ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME", "SPARK_PUBLIC_DNS")
"""Variables that say at which address a cluster reaches this machine. Users may set them for a session on a cluster."""
OF_A_CLUSTER = (*OF_THE_NETWORK, "HADOOP_*", "YARN_*", "HDFS_*", "MAPRED_*", "HIVE_*")
"""Patterns of variables that do not reach the JVM of a session without a cluster."""
OF_SPARK = Rule(
    ("SPARK_*", "PYSPARK_*"),
    "left out: Spark is the one that set-up pinned, and its settings are those of a profile (spark.conf)",
)
OF_JAVA = Rule(
    ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS"),
    "left out: options of Spark's JVM are those of a profile (spark.conf: spark.driver.extraJavaOptions)",
)
OF_THE_ENGINE = Rule(
    ("SAIL_*", "TOKIO_*", "DATAFUSION_*", "RUST_MIN_STACK"),
    "left out: the embedded engine is told by a profile alone (embedded)",
)
OF_PYTHON = Rule(
    (
        "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONIOENCODING", "PYTHONCOERCECLOCALE",
        "PYTHONLEGACY*", "PYTHONDEVMODE", "PYTHONDEBUG", "PYTHONVERBOSE", "PYTHONCASEOK", "PYTHONPLATLIBDIR",
        "PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONUSERBASE", "PYTHONINTMAXSTRDIGITS",
    ),
    "left out: Python runs as set-up pinned it",
)  # fmt: skip
OF_TELEMETRY = Rule(
    ("OTEL_*",), "left out: nothing here reports there, and Prefect fails where it names what is not installed"
)
RULES = (OF_SPARK, OF_JAVA, OF_THE_ENGINE, OF_PYTHON, OF_TELEMETRY)
AT_THE_START = ("PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONIOENCODING", "PYTHONLEGACY*",
                "PYTHONDEVMODE", "PYTHONCASEOK", "PYTHONINTMAXSTRDIGITS")  # fmt: skip
"""The variables of ``OF_PYTHON`` that Python reads when it starts. To leave them out, Python has to be started
again."""
GOES_THROUGH = Rule(
    ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_*"),
    "goes through: its libraries are in Python, Java and the embedded engine; what crashes there may be theirs",
)
FOR_CLUSTERS = Rule(
    OF_A_CLUSTER, "goes through to a session on a cluster or HDFS; Spark on this machine alone does not see it"
)
"""A rule that is only reported here; ``for_a_jvm`` applies it."""


def left_out(environment: Mapping[str, str]) -> dict[str, str]:
    """Variable that does not reach a run → what is done about it, in the order of the names."""
    return {name: done for name in sorted(environment) if (done := _done(name, RULES)) and name not in OF_THE_NETWORK}


def notices(environment: Mapping[str, str]) -> dict[str, str]:
    """Variable of the shell that could affect a run → what is done about it; with the variables that the parent process
    left out, see ``before``."""
    through = {name: done for name in environment if (done := _done(name, (GOES_THROUGH, FOR_CLUSTERS)))}
    return dict(sorted({**before(environment), **left_out(environment), **through}.items()))


def _done(name: str, rules: Iterable[Rule]) -> str:
    """What is done about the variable by the first rule that holds for it; empty where none does."""
    return next((rule.done for rule in rules if rule.holds(name)), "")


def before(environment: Mapping[str, str]) -> dict[str, str]:
    """Variable → what was done about it, for the variables that the parent process left out, see ``LEFT_OUT``."""
    try:
        found = json.loads(environment.get(LEFT_OUT, "{}"))
        return {str(name): str(done) for name, done in found.items()}
    except (ValueError, AttributeError):
        return {}


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for this process and its children, without the variables that must not reach a run. Cleaning it
    again changes nothing."""
    out = left_out(environment)
    kept = {name: value for name, value in environment.items() if name not in out}
    return remembering(kept, out)


def remembering(environment: Mapping[str, str], done: Mapping[str, str]) -> dict[str, str]:
    """The environment with ``done`` (variable → what was done about it) added to what ``LEFT_OUT`` holds."""
    together = {**before(environment), **done}
    return {**environment, LEFT_OUT: json.dumps(together)} if together else dict(environment)


def python_path(entries: Sequence[str], own: Sequence[str], shadowing: Iterable[str]) -> tuple[str, str] | None:
    """A PYTHONPATH with the folders ``own`` before those of the user, and a sentence about that; None where it need not
    change.

    entries: the folders of the user's PYTHONPATH. own: the folders of Python, and of the packages that set-up pinned.
    shadowing: a text for each of the user's folders with modules that would be imported instead of ours, for instance
    ``json in /home/me/lib``. If there are none, PYTHONPATH need not change.
    """
    found = list(shadowing)
    if not found:
        return None
    path = ":".join([*own, *(entry for entry in entries if entry not in own)])
    return path, f"comes after what set-up pinned: {'; '.join(found)}"


def for_a_jvm(
    environment: Mapping[str, str], spark_home: str, python: str, *, cluster: bool, own: Sequence[str] = ()
) -> dict[str, str]:
    """The environment for Spark's JVM, and for the scripts that start it.

    spark_home: the folder of the pinned pyspark. python: the path of the Python that runs now. cluster: whether the
    session uses a cluster or HDFS. own: the folders of this machine's Python; they are taken out of PYTHONPATH, because
    executors on other machines do not have them.
    """
    kept = {name: value for name, value in cleaned(environment).items() if name != LEFT_OUT}
    if not cluster:
        kept = {name: value for name, value in kept.items() if not any(fnmatchcase(name, one) for one in OF_A_CLUSTER)}
    if path := [entry for entry in kept.pop("PYTHONPATH", "").split(":") if entry and entry not in own]:
        kept["PYTHONPATH"] = ":".join(path)
    of_the_locale = [name for name in kept if name.startswith("LC_") or name in ("LANG", "LANGUAGE")]
    for name in of_the_locale:  # a JVM decodes the names of files by the locale, and formats numbers in its digits
        del kept[name]
    # Without TZ a JVM uses the machine's time zone; sessions use UTC, and everything beside them should too.
    return {**kept, "SPARK_HOME": spark_home, "PYSPARK_PYTHON": python, "LC_ALL": UTF8_LOCALE, "TZ": "UTC"}

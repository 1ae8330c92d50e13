"""Which variables of a shell reach what runs: none that would make another Spark, Java or Python of what set-up pinned.

Pure: a mapping in, a mapping out. ``shell`` acts on it. The standard library alone: it is there before any package is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

LEFT_OUT = "_AQI_LEFT_OUT"
"""The variable in which a process tells those that it starts what it has left out: JSON, by name what was done."""
UTF8, UTF8_LOCALE = "utf-8", "C.UTF-8"


class Rule(NamedTuple):
    """names: patterns of variables. done: what is done about one that is set, for people."""

    names: tuple[str, ...]
    done: str

    def holds(self, name: str) -> bool:
        """Whether it is about the variable."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


OF_THE_NETWORK = ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME", "SPARK_PUBLIC_DNS")
"""Which address of this machine a cluster reaches: for a session on a cluster the user's to say."""
OF_A_CLUSTER = (*OF_THE_NETWORK, "HADOOP_*", "YARN_*", "HDFS_*", "MAPRED_*", "HIVE_*")
"""What does not reach the JVM of a session that has nothing to do with a cluster."""
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
"""Of ``OF_PYTHON``: what an interpreter has read by the time that it can be left out, so that another must begin."""
GOES_THROUGH = Rule(
    ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_*"),
    "goes through: its libraries are in Python, Java and the embedded engine; what crashes there may be theirs",
)
FOR_CLUSTERS = Rule(
    OF_A_CLUSTER, "goes through to a session on a cluster or HDFS; Spark on this machine alone does not see it"
)
"""Reported, and observed elsewhere."""


def left_out(environment: Mapping[str, str]) -> dict[str, str]:
    """By variable that does not reach what runs, what is done about it; in the order of their names."""
    return {name: done for name in sorted(environment) if (done := _done(name, RULES)) and name not in OF_THE_NETWORK}


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """By variable of the shell that could be in the way, what is done about it; also those that went before."""
    through = {name: done for name in environment if (done := _done(name, (GOES_THROUGH, FOR_CLUSTERS)))}
    return dict(sorted({**before(environment), **left_out(environment), **through}.items()))


def _done(name: str, rules: Iterable[Rule]) -> str:
    """What is done about the variable; empty where it is in nobody's way."""
    return next((rule.done for rule in rules if rule.holds(name)), "")


def before(environment: Mapping[str, str]) -> dict[str, str]:
    """What was left out by the process that started this one, see ``LEFT_OUT``."""
    try:
        found = json.loads(environment.get(LEFT_OUT, "{}"))
        return {str(name): str(done) for name, done in found.items()}
    except (ValueError, AttributeError):
        return {}


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for what this process starts, and for itself. Cleaned once, they stay as they are."""
    out = left_out(environment)
    kept = {name: value for name, value in environment.items() if name not in out}
    return remembering(kept, out)


def remembering(environment: Mapping[str, str], done: Mapping[str, str]) -> dict[str, str]:
    """The same, with what was done about variables besides those of before."""
    together = {**before(environment), **done}
    return {**environment, LEFT_OUT: json.dumps(together)} if together else dict(environment)


def python_path(entries: Sequence[str], own: Sequence[str], shadowing: Iterable[str]) -> tuple[str, str] | None:
    """PYTHONPATH with ``own`` folders (Python's, and those of what set-up pinned) before the user's, and what was done.

    entries: of the user's. shadowing: those of them in which modules are that would stand before ours, each with one
    of these in words. None where there is none: then nothing needs to be done.
    """
    found = list(shadowing)
    if not found:
        return None
    path = ":".join([*own, *(entry for entry in entries if entry not in own)])
    return path, f"comes after what set-up pinned: {'; '.join(found)}"


def for_a_jvm(
    environment: Mapping[str, str], spark_home: str, python: str, *, cluster: bool, own: Sequence[str] = ()
) -> dict[str, str]:
    """The variables for Spark's JVM, and for the scripts that start it.

    spark_home: of the pinned pyspark. python: that runs now. cluster: whether the session has to do with one.
    own: folders of this machine's Python, which an executor elsewhere has no use for.
    """
    kept = {name: value for name, value in cleaned(environment).items() if name != LEFT_OUT}
    if not cluster:
        kept = {name: value for name, value in kept.items() if not any(fnmatchcase(name, one) for one in OF_A_CLUSTER)}
    if path := [entry for entry in kept.pop("PYTHONPATH", "").split(":") if entry and entry not in own]:
        kept["PYTHONPATH"] = ":".join(path)
    of_the_locale = [name for name in kept if name.startswith("LC_") or name in ("LANG", "LANGUAGE")]
    for name in of_the_locale:  # a JVM takes the names of files by it, and figures of other scripts for numbers
        del kept[name]
    # A JVM that is told no zone takes the machine's; sessions have UTC, and so has all beside them.
    return {**kept, "SPARK_HOME": spark_home, "PYSPARK_PYTHON": python, "LC_ALL": UTF8_LOCALE, "TZ": "UTC"}

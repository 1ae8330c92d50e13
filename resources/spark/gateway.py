"""Starts the JVM of a session without its configuration on a command line, which all users of a machine can see.

pyspark would pass every setting to spark-submit as ``--conf name=value``, and spark-submit would pass it to the JVM.
Here the settings are in a file that only this user may read. The file is removed when the JVM has answered: by then the
JVM has read it. The session gets its configuration once more, over pyspark's connection, so that nothing depends on how
the file is written.
"""

from __future__ import annotations

import logging
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PY4J = "py4j"
SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"})


def launched(conf: Mapping[str, str], pipes: Mapping[str, Any]) -> Any:
    """Start a JVM with the configuration ``conf``. Gives the gateway to it, as `pyspark.java_gateway.launch_gateway`
    does.

    pipes: further arguments of ``subprocess.Popen``, as ``stdout``.
    """
    from pyspark import java_gateway

    logging.getLogger().addFilter(none_of_py4j)
    logging.getLogger(PY4J).propagate = False
    with properties_file(conf) as file, _submitting(f"--properties-file {shlex.quote(str(file))} pyspark-shell"):
        return java_gateway.launch_gateway(None, dict(pipes))  # type: ignore[no-untyped-call]


def none_of_py4j(record: logging.LogRecord) -> bool:
    """A filter for the root logger: whether a record is not from py4j.

    py4j logs a traceback to the root logger for each call that was interrupted by Ctrl-C or lost its JVM. It raises an
    error too, and the command reports that one.
    """
    return PY4J not in Path(record.pathname).parts


@contextmanager
def properties_file(conf: Mapping[str, str]) -> Iterator[Path]:
    """The path of a file with a configuration, which only this user may read. It is removed at the end of the block."""
    handle, name = tempfile.mkstemp(prefix="aqi-spark-", suffix=".conf")  # mkstemp makes files of mode 600
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{property_line(key, value)}\n" for key, value in conf.items())
        yield path
    finally:
        path.unlink(missing_ok=True)


def property_line(name: str, value: str) -> str:
    """A setting as a line of a Java properties file: ``a\\b`` → ``a\\\\b``. A space at the beginning of a value is
    escaped, so that Java keeps it."""
    key = name.translate(_ESCAPES | str.maketrans({sign: f"\\{sign}" for sign in " =:#!"}))
    text = value.translate(_ESCAPES)
    return f"{key}={chr(92) if text.startswith(' ') else ''}{text}"


@contextmanager
def _submitting(arguments: str) -> Iterator[None]:
    """Within the block pyspark passes ``arguments`` to spark-submit."""
    before = os.environ.get(SUBMIT_ARGUMENTS)
    os.environ[SUBMIT_ARGUMENTS] = arguments
    try:
        yield
    finally:
        if before is None:
            del os.environ[SUBMIT_ARGUMENTS]
        else:
            os.environ[SUBMIT_ARGUMENTS] = before

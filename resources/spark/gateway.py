"""Starts the JVM of a session with nothing of its configuration on a command line, which all users of a machine see.

pyspark would give every setting to spark-submit as ``--conf name=value``, and that to the JVM. Here they are in a file
that only this user may read, which is gone when the JVM has answered; it has read it by then. The session is told its
configuration over pyspark's own connection once more, so that nothing depends on how such a file is written.
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
    """A gateway to a JVM with such a configuration, as `pyspark.java_gateway.launch_gateway` makes it.

    pipes: further arguments of its process.
    """
    from pyspark import java_gateway

    logging.getLogger().addFilter(none_of_py4j)
    logging.getLogger(PY4J).propagate = False
    with properties_file(conf) as file, _submitting(f"--properties-file {shlex.quote(str(file))} pyspark-shell"):
        return java_gateway.launch_gateway(None, dict(pipes))  # type: ignore[no-untyped-call]


def none_of_py4j(record: logging.LogRecord) -> bool:
    """Whether a line of the root logger is of somebody else than py4j.

    py4j logs a traceback there for each call that a Ctrl-C broke off or that lost its JVM, and raises an error too:
    the command says itself what happened.
    """
    return PY4J not in Path(record.pathname).parts


@contextmanager
def properties_file(conf: Mapping[str, str]) -> Iterator[Path]:
    """A file with a configuration, for this user's eyes only; gone at the end of the block."""
    handle, name = tempfile.mkstemp(prefix="aqi-spark-", suffix=".conf")  # of mode 600
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{property_line(key, value)}\n" for key, value in conf.items())
        yield path
    finally:
        path.unlink(missing_ok=True)


def property_line(name: str, value: str) -> str:
    """A setting as Java reads it from a file of properties: ``a\\b`` → ``a\\\\b``, a space at its begin is kept."""
    key = name.translate(_ESCAPES | str.maketrans({sign: f"\\{sign}" for sign in " =:#!"}))
    text = value.translate(_ESCAPES)
    return f"{key}={chr(92) if text.startswith(' ') else ''}{text}"


@contextmanager
def _submitting(arguments: str) -> Iterator[None]:
    before = os.environ.get(SUBMIT_ARGUMENTS)
    os.environ[SUBMIT_ARGUMENTS] = arguments
    try:
        yield
    finally:
        if before is None:
            del os.environ[SUBMIT_ARGUMENTS]
        else:
            os.environ[SUBMIT_ARGUMENTS] = before

"""Errors in a line: what users read of an error, whoever raised it."""

from __future__ import annotations

import pytest

from orchestration.core.errors import CommitConflict, RunError, in_a_line

OF_A_JVM = """An error occurred while calling o12.save.
: org.apache.spark.SparkException: Job aborted.
\tat org.apache.spark.sql.Dataset.first(Dataset.scala:1)
\tat java.base/java.lang.Thread.run(Thread.java:840)"""
OF_A_QUERY = """[UNRESOLVED_COLUMN] A column cannot be resolved. SQLSTATE: 42703;
'Project ['a]

== SQL ==
and more"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RunError("it broke", "Mend it."), "it broke"),
        (CommitConflict("another run was first"), "another run was first"),
        (PermissionError(13, "Permission denied", "/data/table"), "Permission denied: /data/table"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError("no NameNode"), "OSError: no NameNode"),
        (ValueError("one\n\n  two\nthree"), "ValueError: one two"),
        (KeyError("name"), "KeyError: 'name'"),
        (ValueError("not found\n\x1b[31m\u21b3\x1b[0m no such file"), "ValueError: not found \u21b3 no such file"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError(" \n "), "ValueError"),
        (
            RuntimeError(OF_A_JVM),
            "RuntimeError: An error occurred while calling o12.save. : org.apache.spark.SparkException: Job aborted.",
        ),
        (
            RuntimeError(OF_A_QUERY),
            "RuntimeError: [UNRESOLVED_COLUMN] A column cannot be resolved. SQLSTATE: 42703; and more",
        ),
        (ValueError("x" * 5000), "ValueError: " + "x" * 588),
    ],
)
def test_an_error_in_a_line(error: BaseException, said: str) -> None:
    assert in_a_line(error) == said

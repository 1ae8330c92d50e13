"""A Spark session in a process of its own, for assets that only Spark can make, in a run of the embedded engine.

    python -m orchestration.engine.engines.spark_child

It reads pickled messages on standard input. The first one has the configuration of the session and its log file. Every
further one has an asset (module and name), Parquet folders to read, parameters, and a folder to write. It answers each
with an error, or None. It knows no tables: the caller has evaluated the inputs, and commits the output.
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import LakehouseError, RunError, in_a_line, with_remedy

END_SECONDS = 30


@dataclass(frozen=True)
class Work:
    """A call of an asset's function. module, name: where the asset is declared."""

    module: str
    name: str
    inputs: tuple[str, ...]
    arguments: Mapping[str, Any]
    output: str


class SparkChild:
    """The process. It is started when it is first needed, and answers one message after the other."""

    def __init__(self, conf: Mapping[str, str], log: Path) -> None:
        self._conf, self._log = dict(conf), log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def make(self, asset: Asset, inputs: Sequence[Path], arguments: Mapping[str, Any], output: Path) -> None:
        """Write the result of the asset's function for ``inputs`` into the folder ``output``.

        Raises RunError with what went wrong.
        """
        function = asset.function
        work = Work(function.__module__, function.__name__, tuple(map(str, inputs)), arguments, str(output))
        with self._lock:
            if self._killed:
                raise RunError("Spark was ended: cancelled, or after embedded.timeout_seconds")
            process = self._started()
            assert process.stdin is not None and process.stdout is not None
            try:
                pickle.dump(work, process.stdin)
                process.stdin.flush()
                wrong = pickle.load(process.stdout)  # noqa: S301  (of our own child)
            except (OSError, EOFError) as error:
                raise RunError("Spark ended in mid-run", f"Its log is {self._log}.") from error
        if wrong is not None:
            raise RunError(wrong)

    def end(self) -> None:
        """End the process, if there is one, and its JVM."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def kill(self) -> None:
        """End the process at once, and start no further one. Its JVM ends after it."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # What is found there is what is found here, wherever this was started.
            path = {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
            environment = {
                name: value for name, value in os.environ.items() if not name.startswith("SPARK_CONNECT")
            } | path
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            pickle.dump((self._conf, self._log), self._process.stdin)
        return self._process


def _do(session: Any, work: Work) -> None:
    declared = getattr(importlib.import_module(work.module), work.name)
    function = declared.function if isinstance(declared, Asset) else declared
    frames = [session.read.parquet(folder) for folder in work.inputs]
    made = function(*frames, **work.arguments)
    if made is None:
        raise RunError(f"{work.name}: the function returned no DataFrame", "Return the rows of the table.")
    made.write.parquet(work.output)


def main() -> None:
    """The process."""
    from resources.spark.driver import SparkDriver

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed goes to the log
    conf, log = pickle.load(sys.stdin.buffer)  # noqa: S301  (of our own parent)
    driver = SparkDriver(conf, log, cluster=False)
    session: Any = None
    try:
        while True:
            try:
                work = pickle.load(sys.stdin.buffer)  # noqa: S301
            except EOFError:
                return
            wrong = None
            try:
                session = session or driver.start()
                _do(session, work)
            except Exception as raised:  # told to who asked  # noqa: BLE001
                error = driver.explained(raised) or raised
                wrong = (
                    with_remedy(in_a_line(error), error.remedy)
                    if isinstance(error, LakehouseError)
                    else in_a_line(error)
                )
            pickle.dump(wrong, answers)
            answers.flush()
    finally:
        driver.stop()


if __name__ == "__main__":
    main()

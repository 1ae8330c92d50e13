"""The embedded engine's own process: a Spark Connect server in Rust (Sail) on this machine, without a JVM.

    python -I server.py SCRATCH MEMORY_BYTES

Prints ``{"port": N}`` on standard output when it listens. Ends when its standard input ends, that is with the process
that started it, however that one ended; then it removes the scratch folder. Sail spills to that folder what its
operators hold above their share of the memory. The process ends itself (OUT_OF_MEMORY) when its resident memory
exceeds the whole limit.

Imports only the standard library and pysail, so that nothing in the user's shell changes it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

OUT_OF_MEMORY = 70
LOCK_SUFFIX = ".lock"
"""Suffix of the lock file beside a scratch folder. The process that started this one holds the lock."""
POLL_SECONDS = 0.05
OPERATORS_SHARE = 0.6
"""Share of the memory that operators may hold before they spill. The rest is for batches in transit and for code."""
BATCH_ROWS = 2048
"""Rows of a batch. An aggregate that keeps one value of a batch is counted as keeping the whole batch, so small batches
cost less memory."""

NEVER_SECONDS = 10 * 365 * 24 * 3600
"""A session ends after so long without work: never. A run may wait an hour, or a day, until the provider answers again.
Its session ends with this process, and this process with the run."""


def options(scratch: Path, memory: int) -> dict[str, str]:
    """The server's settings, as variables of its environment. memory: in bytes."""
    return {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(int(memory * OPERATORS_SHARE)),
        "SAIL_EXECUTION__BATCH_SIZE": str(BATCH_ROWS),
        "SAIL_RUNTIME__TEMPORARY_FILES__PATHS": json.dumps([str(scratch)]),
        "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(NEVER_SECONDS),
        "SAIL_PARQUET__COMPRESSION": "lz4_raw",
        "SAIL_PARQUET__SKIP_ARROW_METADATA": "true",
        "SAIL_TELEMETRY__EXPORT_TRACES": "false",
        # Statistics of files ignore NaN. A query that relies on them returns a wrong value, or no row.
        "SAIL_EXECUTION__COLLECT_STATISTICS": "false",
        "SAIL_PARQUET__PRUNING": "false",
        "SAIL_PARQUET__ENABLE_PAGE_INDEX": "false",
        "RUST_LOG": "warn",
    }


def resident_bytes() -> int:
    """The resident memory of this process, in bytes; 0 where the system does not say (only Linux has /proc)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def watch_memory(limit: int) -> None:
    """End this process as soon as it has more than ``limit`` bytes resident."""
    while True:
        if resident_bytes() > limit:
            os._exit(OUT_OF_MEMORY)
        time.sleep(POLL_SECONDS)


def main() -> None:
    scratch, memory = Path(sys.argv[1]), int(sys.argv[2])
    os.environ.update(options(scratch, memory))
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _, port = server.listening_address
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=watch_memory, args=(memory,), daemon=True).start()
    try:
        while os.read(0, 4096):
            pass
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if not scratch.exists():  # else the next process's sweep removes what was written meanwhile
            Path(f"{scratch}{LOCK_SUFFIX}").unlink(missing_ok=True)
        os._exit(0)


if __name__ == "__main__":
    main()

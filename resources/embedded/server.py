"""The embedded engine's own process: a Spark Connect server in Rust (Sail) on this machine, without a JVM.

    python -I server.py SCRATCH MEMORY_BYTES

Says ``{"port": N}`` on standard output when it listens, and ends when its standard input does: with whoever started it,
however that one ended. It removes the scratch folder then. Sail spills to that folder what its operators hold beyond
their share of the memory; what the process has resident beyond all of it ends it (OUT_OF_MEMORY).

Imports the standard library and pysail alone, so that nothing of its user's shell is in the way.
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
"""Of the file beside a scratch folder that whoever started this holds."""
POLL_SECONDS = 0.05
OPERATORS_SHARE = 0.6
"""Of the memory: what operators may hold before they spill. The rest is for batches on their way and for code."""
BATCH_ROWS = 2048
"""An aggregate that keeps a value of a batch is counted as keeping all of it: smaller batches, less of that."""

NEVER_SECONDS = 10 * 365 * 24 * 3600
"""After so long without work a session ends. A run may wait an hour, or a day, until the provider answers again; its
session ends with this process, and this process with the run."""


def options(scratch: Path, memory: int) -> dict[str, str]:
    """The server's settings, as its environment."""
    return {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(int(memory * OPERATORS_SHARE)),
        "SAIL_EXECUTION__BATCH_SIZE": str(BATCH_ROWS),
        "SAIL_RUNTIME__TEMPORARY_FILES__PATHS": json.dumps([str(scratch)]),
        "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(NEVER_SECONDS),
        "SAIL_PARQUET__COMPRESSION": "lz4_raw",
        "SAIL_PARQUET__SKIP_ARROW_METADATA": "true",
        "SAIL_TELEMETRY__EXPORT_TRACES": "false",
        # Statistics know nothing of NaN: taken for all there is, they make it another value, or no row.
        "SAIL_EXECUTION__COLLECT_STATISTICS": "false",
        "SAIL_PARQUET__PRUNING": "false",
        "SAIL_PARQUET__ENABLE_PAGE_INDEX": "false",
        "RUST_LOG": "warn",
    }


def resident_bytes() -> int:
    """What this process has resident now; 0 where the system does not say (only Linux has /proc)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def watch_memory(limit: int) -> None:
    """End this process as soon as it has more than ``limit`` resident."""
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
        if not scratch.exists():  # else the next one sweeps what was written meanwhile
            Path(f"{scratch}{LOCK_SUFFIX}").unlink(missing_ok=True)
        os._exit(0)


if __name__ == "__main__":
    main()

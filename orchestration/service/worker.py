"""The process of `aqi worker start`: Prefect's process worker, and a thread that frees slots.

It is called as Prefect's own command: worker start --pool NAME --name NAME …; the profile is in the environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import runpy
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from orchestration.core.errors import in_a_line
from orchestration.engine.exclusive import log_folder
from orchestration.project import load
from orchestration.service.slots import free_slots
from resources.machine.clock import system_clock
from resources.machine.interrupts import heed_signals
from resources.machine.leaving import leaving
from resources.machine.secrets import hidden, hide_in_logs
from resources.prefect.outages import outlive_outages
from resources.prefect.server import named_api_url
from resources.prefect.settings import no_word_of_home
from resources.prefect.slots import Restarted

if TYPE_CHECKING:
    import psutil

EVERY_SECONDS = 20.0
END_SECONDS = 15.0
"""When the worker is stopped, runs have this long to end and to report their end; then they are killed."""
BY = "aqi worker"


def main(arguments: list[str]) -> None:
    """Run the worker until it is stopped. Its output has no secrets."""
    hide_in_logs()
    no_word_of_home()
    heed_signals()
    pool, name = (arguments[arguments.index(option) + 1] for option in ("--pool", "--name"))
    began = system_clock()
    outlive_outages()
    _beside_it(lambda: _keep_free(pool, name, began))
    sys.argv = ["prefect", *arguments]
    runpy.run_module("prefect", run_name="__main__")


def _beside_it(keep_free: Callable[[], None]) -> None:
    """Frees slots in a thread while Prefect's worker runs. The thread starts later, or both would import Prefect at
    once.

    Prefect's worker kills its runs when it ends, and they would stay *Running* on the server; so they are asked to end
    before.
    """
    import anyio
    import psutil
    from prefect.workers.process import ProcessWorker

    enter, leave = ProcessWorker.__aenter__, ProcessWorker.__aexit__

    async def enter_first(worker: ProcessWorker) -> ProcessWorker:
        entered = await enter(worker)
        threading.Thread(target=keep_free, daemon=True, name="slots").start()
        return entered

    async def ask_first(worker: ProcessWorker, *error: Any) -> None:
        with anyio.CancelScope(shield=True), suppress(psutil.Error):
            runs = psutil.Process().children()
            for run in runs:
                with suppress(psutil.Error):
                    run.terminate()
            deadline = time.monotonic() + END_SECONDS
            while any(map(_lives, runs)) and time.monotonic() < deadline:
                await anyio.sleep(0.1)
        await leave(worker, *error)

    for name, method in (("__aenter__", enter_first), ("__aexit__", ask_first)):
        setattr(ProcessWorker, name, method)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != "zombie")
    except Exception:  # it is gone  # noqa: BLE001
        return False


def _keep_free(pool: str, name: str, at: datetime) -> None:
    """Free slots again and again. A problem is reported once."""
    settings, api_url = load(None), named_api_url()
    held, alone = _presence(f"{api_url} {name}")
    restarted, trouble = Restarted(name, at) if alone and held is not None else None, ""
    while True:
        try:
            for line in free_slots(settings, api_url, BY, pool, restarted):
                _say(line)
            trouble = ""
        except Exception as error:  # the server is away, say: looked again the next time  # noqa: BLE001
            if trouble != type(error).__name__:
                trouble = type(error).__name__
                _say(f"slots could not be looked at ({in_a_line(error)})")
        time.sleep(EVERY_SECONDS)


def _presence(who: str) -> tuple[IO[str] | None, bool]:
    """A lock that is held as long as this process has the file; and whether no other process of this machine holds
    it.
    """
    digest = hashlib.sha256(who.encode()).hexdigest()[:12]
    try:
        log_folder().parent.mkdir(parents=True, exist_ok=True)
        file = (log_folder().parent / f"worker-{digest}.lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError:  # nobody knows then
        return None, False
    return file, alone


def _say(line: str) -> None:
    print(hidden(line), file=sys.stderr, flush=True)


if __name__ == "__main__":
    with leaving():
        main(sys.argv[1:])

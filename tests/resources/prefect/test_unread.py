"""A run whose worker was killed goes on, though nobody reads what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = """
import sys
from pathlib import Path
from rich.console import Console
from resources.prefect.unread import outlive_readers

outlive_readers()
console = Console(stderr=True)  # as Prefect's handler of logs has one
sys.stdin.readline()
for line in range(3):
    console.print(line)
Path(sys.argv[1]).write_text("done")
"""


def test_a_run_goes_on_when_nobody_reads_its_output_any_more(tmp_path: Path) -> None:
    done, pipe = tmp_path / "done", subprocess.PIPE
    command = [sys.executable, "-c", RUN, str(done)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdout.close()  # as the kernel does with the worker's end
        run.stdin.write(b"\n")
        run.stdin.close()
        run.wait(60)
    assert done.exists()
    assert done.read_text() == "done"

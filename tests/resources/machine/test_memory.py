"""A long run gives memory back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestration.cli import common

pytestmark = pytest.mark.engine  # processes of their own

HELD = """
import sys
from resources.machine.memory import choose_pool, economize, give_back
if sys.argv[1] == "ours":
    choose_pool()
import pyarrow as pa
import pyarrow.parquet as pq
if sys.argv[1] == "ours":
    economize()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

path, before = sys.argv[2], resident()
pq.write_table(pa.table({"a": pa.array(range(3_000_000))}), path)

class Holder:
    pass

for _ in range(5):  # a table in a ring of references, as those that exceptions and tasks make
    holder = Holder()
    holder.itself, holder.table = holder, pq.read_table(path)
del holder
if sys.argv[1] == "ours":
    give_back()
print(resident() - before)
"""


def held(how: str, path: str) -> int:
    """Bytes that are resident after tables were read and let go of."""
    done = subprocess.run([sys.executable, "-c", HELD, how, path], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_was_read_is_given_back(tmp_path: object) -> None:
    path = f"{tmp_path}/rows.parquet"
    ours, left_alone = held("ours", path), held("as it is", path)
    assert ours < left_alone / 2  # what stays is mostly code that was loaded: a quarter


def test_the_command_chooses_before_anything_has_loaded_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    monkeypatch.setattr("atexit.register", lambda _: None)  # nor does this process end by it
    monkeypatch.setattr(common, "main", lambda obj: seen.append(os.environ.get("ARROW_DEFAULT_MEMORY_POOL")))
    common.run()
    assert seen == ["system"]
    loaded = "import sys, orchestration.cli, orchestration.cli.app; print('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout.strip() == "False"

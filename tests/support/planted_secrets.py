"""Secrets in every setting and variable that may hold one, each another text, and where they are looked for."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from resources.raw.files import decompressed

KEY, USER, PASSWORD = "k3y/of+mine=1", "ann-of-ours", "pa:ss/w0rd&2"
BASIC = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PLANTED = {
    "of mail": "m4il pass/1",
    "of a webhook": "T0/w3bh00k-s1gn",
    "of lineage": "l1neage-k3y",
    "of Spark": "sp4rk key\\'1",
    "in Spark's addresses": "jdbc-pw5",
    "of Prefect": "pr3fect-k3y",
    "of Prefect's server": "auth-str1ng",
    "of a database": "d4tabase-pw",
    "of a proxy": "pr0xy-pw",
    "in Prefect's address": "4pi/pw",
}
PARTS = (
    *("k3y", "of+mine", "of%2Bmine", "of%2bmine", "ann-of-ours", "w0rd", BASIC),
    *("m4il", "w3bh00k", "l1neage", "sp4rk", "jdbc-pw5", "pr3fect", "auth-str1ng", "d4tabase", "pr0xy", "4pi/pw"),
    *("4pi%2Fpw", "4pi%2fpw"),
)
"""What is in any way to write them."""


def environment(prefect: str | None = "http://127.0.0.1:9/api") -> dict[str, str]:
    """The variables that say them, but for those of the source. prefect: the address of its API."""
    conf = {
        "spark.hadoop.fs.s3a.secret.key": PLANTED["of Spark"],
        "spark.elsewhere": f"jdbc:pg://ann:{PLANTED['in Spark' + chr(39) + 's addresses']}@db/x",
    }
    said = {
        "AQI_ALERTS__EMAIL__HOST": "127.0.0.1",
        "AQI_ALERTS__EMAIL__PORT": "9",
        "AQI_ALERTS__EMAIL__USER": "alerts",
        "AQI_ALERTS__EMAIL__PASSWORD": PLANTED["of mail"],
        "AQI_ALERTS__EMAIL__SENDER": "a@example.org",
        "AQI_ALERTS__EMAIL__RECIPIENTS": "[b@example.org]",
        "AQI_ALERTS__WEBHOOKS": json.dumps({"team": {"url": f"http://127.0.0.1:9/{PLANTED['of a webhook']}"}}),
        "AQI_OPENLINEAGE__URL": "http://127.0.0.1:9",
        "AQI_OPENLINEAGE__API_KEY": PLANTED["of lineage"],
        "AQI_OPENLINEAGE__TIMEOUT_SECONDS": "1",
        "AQI_SPARK__CONF": json.dumps(conf),
        "PREFECT_API_KEY": PLANTED["of Prefect"],
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite://u:{PLANTED['of a database']}@host/x.db",
        "https_proxy": f"http://proxy:{PLANTED['of a proxy']}@127.0.0.1:9",
        "no_proxy": "127.0.0.1,localhost",
    }
    if prefect is not None:
        password = quote(PLANTED["in Prefect's address"], safe="")
        said["PREFECT_API_URL"] = prefect.replace("//", f"//ann:{password}@")
    return said


def told_in(*texts: str) -> list[str]:
    """The parts of secrets that are in what a command said."""
    return [part for part in PARTS for text in texts if part in text]


def written_in(*folders: Path, but: tuple[str, ...] = ()) -> list[str]:
    """The files below some folders that have a part of a secret in them. but: names of files that say them."""
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".zst":
            content = decompressed(content)
        found += [f"{path}: {part}" for part in PARTS if part.encode() in content and path.name not in but]
    return found


class CommandLines:
    """Those of this process's children, and theirs, while the block runs; looked at every few milliseconds."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()

    def _look(self) -> None:
        this = psutil.Process()
        while not self._over.is_set():
            for child in this.children(recursive=True):
                try:
                    self.seen.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.02)

    @property
    def told(self) -> list[str]:
        """Parts of secrets that stood on any."""
        return told_in(*self.seen)


@contextmanager
def command_lines() -> Iterator[CommandLines]:
    lines = CommandLines()
    looking = threading.Thread(target=lines._look, daemon=True)
    looking.start()
    try:
        yield lines
    finally:
        lines._over.set()
        looking.join()

"""What spark-submit starts: the command `aqi`, with the driver JVM that is there already.

In cluster mode our code and packages are a file beside it, packages.zip, unpacked here: a NodeManager without Hadoop's
native library would call chmod for each of the thousands of files, which takes minutes. Variables that may hold
secrets are in a file, too: those of a container stand in a script that YARN copies beside its log.
"""

import importlib
import json
import os
import sys
import zipfile
from pathlib import Path

PACKAGES = Path("packages")
TOLD = Path("told.json")


def main() -> None:
    if TOLD.exists():
        os.environ.update(json.loads(TOLD.read_text(encoding="utf-8")))
    archive = Path(f"{PACKAGES}.zip")
    if archive.exists():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(PACKAGES)
        sys.path.insert(0, str(PACKAGES.resolve()))
        importlib.invalidate_caches()  # the folder was on the path before it was there
    from orchestration.cli.app import run

    run()


if __name__ == "__main__":
    main()

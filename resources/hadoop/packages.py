"""The archive of our code and of the Python packages that it needs, for nodes of a cluster that only have Python."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("assets", "orchestration", "resources", "config")
"""The folders of our code."""
_LEFT_OUT = (
    *("_duckdb", "_pytest", "duckdb", "grimp", "hypothesis", "mypy", "pip", "playwright", "pytest", "ruff"),
    *("setuptools", "pysail"),
)
"""How the names of packages begin that no run on a cluster needs: tools of development, and the embedded engine."""
_KEPT = ("mypy_extensions",)
"""Packages that runs need although their names begin like those of ``_LEFT_OUT``. pandera's typing_inspect imports
mypy_extensions."""
_TESTS = frozenset({"tests", "benchmarks", "examples"})
_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""Bytes 4 to 16 of a ``.pyc``, which say that Python need not compare it with its source. Source: PEP 552. Unpacking an
archive changes the time of the source, so the comparison would fail."""


def packages_name() -> str:
    """The name of the archive. It has a digest of the content: our files, the lock file of the packages, and the
    version of Python."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    digest.update((ROOT / "requirements.lock").read_bytes())
    for path in _our_files():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return f"packages-{digest.hexdigest()[:16]}.zip"


def write_packages(target: Path) -> None:
    """Write the archive, a zip that belongs on PYTHONPATH. target: the path of the file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
        for path in _our_files():
            archive.write(path, str(path.relative_to(ROOT)))
        site = Path(sysconfig.get_path("purelib"))
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site)
            if not path.is_file() or _is_left_out(name):
                continue
            if path.suffix == ".pyc":
                content = path.read_bytes()
                archive.writestr(str(name), content[:4] + _UNCHECKED + content[16:])
            else:
                archive.write(path, str(name))


def _is_left_out(name: Path) -> bool:
    """Whether no run on a cluster needs a file. The fewer files there are, the sooner a node has unpacked them. name:
    the path of the file within the folder of the packages. Spark's jars have an archive of their own."""
    parts = name.parts
    return (
        (parts[0].startswith(_LEFT_OUT) and not parts[0].startswith(_KEPT))
        or parts[:2] == ("pyspark", "jars")
        or not _TESTS.isdisjoint(parts)
        or name.suffix in (".pyi", ".h", ".c", ".pxd", ".pyx")
    )


def _our_files() -> Iterator[Path]:
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path

"""Our code and the Python packages that it needs, as one archive for nodes that have Python and nothing else."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("assets", "orchestration", "resources", "config")
_LEFT_OUT = (
    *("_duckdb", "_pytest", "duckdb", "grimp", "hypothesis", "mypy", "pip", "playwright", "pytest", "ruff"),
    *("setuptools", "pysail"),
)
"""Tools of development and the embedded engine, by how their names begin; Spark's jars have an archive of their own."""
_KEPT = ("mypy_extensions",)
"""What runs need, though its name begins as that of a tool: pandera's typing_inspect imports it."""
_TESTS = frozenset({"tests", "benchmarks", "examples"})
_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""In the head of compiled code: it need not be compared with its source (PEP 552), whose time unpacking changes."""


def packages_name() -> str:
    """The name of the archive, by its content: our files, the lock of the packages, and the Python."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    digest.update((ROOT / "requirements.lock").read_bytes())
    for path in _our_files():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return f"packages-{digest.hexdigest()[:16]}.zip"


def write_packages(target: Path) -> None:
    """Write the archive: what is in it belongs on PYTHONPATH."""
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
    """Whether no run needs the file: fewer files are sooner on a node."""
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

"""Writes a new asset into the project's sources: function, contract and test. Either all files are written or none."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from orchestration.core.declarations.new_asset import Cut, NewAsset, new_asset
from orchestration.core.declarations.source_text import (
    function_imports,
    names_in,
    text_of_contract,
    text_of_function,
    text_of_test,
    with_imports,
)
from orchestration.core.errors import UsageError, in_a_line
from orchestration.engine.project import Project
from resources.settings.load import Settings


@dataclass(frozen=True)
class NewSources:
    """The files of a new asset. texts: file → its new text, in the order of writing."""

    new: NewAsset
    root: Path
    texts: Mapping[Path, str]

    @property
    def module(self) -> str:
        """The file of the function, relative to the project's folder."""
        return self._said(list(self.texts)[2])

    @property
    def contracts(self) -> str:
        """The file of the contract, relative to the project's folder."""
        return self._said(list(self.texts)[1])

    @property
    def test(self) -> str:
        """The file of the test, relative to the project's folder."""
        return self._said(next(iter(self.texts)))

    def _said(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()

    def write(self) -> None:
        """Write all files. Raises UsageError where one cannot be written; then none is changed."""
        before = {file: file.read_bytes() for file in self.texts if file.exists()}
        parts = {file: file.with_name(f".{file.name}.{uuid.uuid4().hex}.part") for file in self.texts}
        done: list[Path] = []
        try:
            for file, part in parts.items():
                part.write_text(self.texts[file], encoding="utf-8")
                if file in before:
                    shutil.copymode(file, part)
            for file, part in parts.items():
                part.replace(file)
                done.append(file)
        except (OSError, KeyboardInterrupt) as error:
            for file in done:
                if file in before:
                    file.write_bytes(before[file])
                else:
                    file.unlink()
            if isinstance(error, KeyboardInterrupt):
                raise
            raise UsageError(
                f"the sources in {self.root} cannot be written: {in_a_line(error)}",
                "Nothing was changed. Call it in a checkout that is yours to write.",
            ) from None
        finally:
            for part in parts.values():
                with suppress(OSError):
                    part.unlink(missing_ok=True)


def new_sources(
    project: Project,
    settings: Settings,
    key: str,
    upstream: tuple[str, ...] = (),
    cut: Cut | None = None,
    description: str = "",
) -> NewSources:
    """The files of a new asset. Raises UsageError where it cannot be declared, or where the sources are not
    writable.
    """
    declared = project.contracts(settings)
    new = new_asset(project.catalog, declared.load(project.catalog), key, upstream, cut, description)
    package = importlib.import_module(project.package)
    folder, root = _sources(package.__file__)
    tests = root / "tests" / folder.name
    if not tests.is_dir() or not declared.file.is_relative_to(folder):
        raise UsageError(
            f"{root} has no tests/{folder.name}, so this is no checkout of the project's sources",
            "Call `aqi` in a checkout: a new table begins with its test.",
        )
    module = _module(project, new, folder)
    test = tests / f"test_{new.name}.py"
    _check_free(new, module, declared.file, test, root)
    function = with_imports(module.read_text(encoding="utf-8"), function_imports(new), [project.package])
    scheme, imports = _scheme(new, module, project.package)
    function = with_imports(function, imports, [project.package])
    contract = declared.file.read_text(encoding="utf-8")
    return NewSources(
        new,
        root,
        {
            test: text_of_test(new, project.package),
            declared.file: f"{contract.rstrip()}\n\n\n{text_of_contract(new)}",
            module: f"{function.rstrip()}\n\n\n{text_of_function(new, scheme)}",
        },
    )


def _sources(file: str | None) -> tuple[Path, Path]:
    """The folder of a package, and its parent. Raises UsageError where they are not to be written to."""
    folder = Path(file or "").resolve().parent
    installed = "site-packages" in folder.parts or "dist-packages" in folder.parts
    if not file or not folder.is_dir() or installed:
        raise UsageError(
            f"the project's code is installed ({folder}), not a checkout of its sources",
            "Call `aqi` in a checkout, with an environment that `make setup` made there.",
        )
    for needed in (folder, folder.parent):
        if not os.access(needed, os.W_OK):
            raise UsageError(
                f"{needed} cannot be written",
                "Give this user rights to write it, or call it in a checkout of your own.",
            )
    return folder, folder.parent


def _module(project: Project, new: NewAsset, folder: Path) -> Path:
    """The module of the most similar assets: of the same layer, and partitioned or not in the same way."""

    def alike(asset: object) -> tuple[bool, bool]:
        layer, scheme = getattr(asset, "layer", ""), getattr(asset, "partitions", None)
        return layer == new.layer, (scheme is None) == (new.scheme is None)

    best = max(alike(asset) for asset in project.catalog)
    found = Counter(asset.function.__module__ for asset in project.catalog if alike(asset) == best)
    name, _ = found.most_common(1)[0]
    return folder / Path(str(sys.modules[name].__file__)).name


def _scheme(new: NewAsset, module: Path, package: str) -> tuple[str, dict[str, list[str]]]:
    """How the module writes the partitions: the name of a constant, or a call; and the imports for it."""
    if new.scheme is None:
        return "", {}
    there = vars(sys.modules[f"{package}.{module.stem}"])
    for name, value in there.items():
        if value == new.scheme and name.isidentifier():
            return name, {}
    kind: Any = type(new.scheme)
    declared = fields(kind) if is_dataclass(kind) else ()
    said = [f'{one.name}="{value}"' for one in declared if (value := getattr(new.scheme, one.name)) != one.default]
    return f"{kind.__name__}({', '.join(said)})", {kind.__module__: [kind.__name__]}


def _check_free(new: NewAsset, module: Path, contracts: Path, test: Path, root: Path) -> None:
    """Raises UsageError where a name that the new asset needs is taken."""
    for name, file in ((new.name, module), (new.contract, contracts)):
        if name in names_in(file.read_text(encoding="utf-8")):
            raise UsageError(f"{file.relative_to(root)} has another {name} already", "Take another name.")
    if test.exists():
        raise UsageError(f"{test.relative_to(root)} is there already", "Take another name, or remove it first.")

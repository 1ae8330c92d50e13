"""Which asset is made from which, from the declarations: a module per format, each with one ``render``.

A format more is a module more: the command's `--format` knows it by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace

DEFAULT = "text"
NAMES = (DEFAULT, *sorted(name for _, name, _ in iter_modules(__path__) if name != DEFAULT and name[0] != "_"))
"""The formats; the first one is printed unless another is named."""

Render = Callable[["Workspace", Sequence[str]], str]


class _Formats(Mapping[str, Render]):
    """By name, what a format makes of the assets with these keys: the whole text, with the end of its last line."""

    def __getitem__(self, name: str) -> Render:
        if name not in NAMES:
            raise KeyError(name)
        render: Render = import_module(f"{__name__}.{name}").render
        return render

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


FORMATS = _Formats()

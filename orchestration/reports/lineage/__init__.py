"""Lineage in several formats: a module for each format, with a function ``render``.

A new format is a new module; the option `--format` finds it by its name. A format that can show column lineage has a
function ``columns`` too, and one that can show an audit of a partition has ``partition``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace

DEFAULT = "text"
NAMES = (DEFAULT, *sorted(name for _, name, inner in iter_modules(__path__) if name != DEFAULT and not inner))
"""The formats; the first one is the default."""

Render = Callable[["Workspace", Sequence[str]], str]


class _Formats(Mapping[str, Render]):
    """Format → its ``render``: the assets with these keys as text, with the end of the last line."""

    def __getitem__(self, name: str) -> Render:
        render: Render = _module(name).render
        return render

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


FORMATS = _Formats()


def can_tell(name: str, what: str) -> bool:
    """Whether a format can show ``columns``, or a ``partition``."""
    return hasattr(_module(name), what)


def told_of(name: str, what: str, found: Any) -> str:
    """``columns`` or a ``partition`` in a format."""
    text: str = getattr(_module(name), what)(found)
    return text


def _module(name: str) -> Any:
    if name not in NAMES:
        raise KeyError(name)
    return import_module(f"{__name__}.{name}")

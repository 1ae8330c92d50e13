"""What is made from what, and what of it is there: a module per format, each with a ``render``.

A format more is a module more: the command's `--format` knows it by its name. A format that can tell columns has
``columns`` as well, one that can tell what a partition was made from ``partition``.
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
"""The formats; the first one is printed unless another is named."""

Render = Callable[["Workspace", Sequence[str]], str]


class _Formats(Mapping[str, Render]):
    """By name, what a format makes of the assets with these keys: the whole text, with the end of its last line."""

    def __getitem__(self, name: str) -> Render:
        render: Render = _module(name).render
        return render

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


FORMATS = _Formats()


def can_tell(name: str, what: str) -> bool:
    """Whether a format tells of ``columns``, or of a ``partition``."""
    return hasattr(_module(name), what)


def told_of(name: str, what: str, found: Any) -> str:
    """What a format makes of ``columns``, or of a ``partition``."""
    text: str = getattr(_module(name), what)(found)
    return text


def _module(name: str) -> Any:
    if name not in NAMES:
        raise KeyError(name)
    return import_module(f"{__name__}.{name}")

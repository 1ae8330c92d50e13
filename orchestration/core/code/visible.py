"""What code can see beyond the values that it names: names and docstrings (``__name__``, ``__doc__``), or attributes
chosen at run time (``getattr``).

If code can see names, its canonical text keeps them. If it can read any attribute, all attributes of a parameter count.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_OF_NAMES = frozenset(
    f"__{name}__"
    for name in (
        *("name", "qualname", "module", "doc", "annotations", "code", "globals", "dict", "defaults", "kwdefaults"),
        *("closure", "wrapped", "signature", "file", "package", "builtins", "mro", "subclasses", "text_signature"),
    )
)
_SEES_NAMES = frozenset(
    f"@builtins.{name}" for name in ("eval", "exec", "compile", "globals", "locals", "vars", "dir", "__import__")
)
_SEES_NAMES_TAIL = frozenset({"udf", "udtf", "pandas_udf", "arrow_udf", "singledispatch", "get_type_hints"})
_SEES_NAMES_ROOT = frozenset({"@inspect", "@gc", "@traceback", "@importlib", "@pickle", "@sys._getframe"})
_READS_ANY = frozenset(
    f"@builtins.{name}"
    for name in (
        *("getattr", "hasattr", "setattr", "delattr", "vars", "dir", "isinstance", "issubclass", "type"),
        *("eval", "exec", "globals", "locals"),
    )
)
_READS_ANY_ROOT = frozenset(
    {"@dataclasses", "@copy", "@pickle", "@inspect", "@operator.attrgetter", "@operator.methodcaller"}
)
_READS_ANY_ATTRIBUTE = frozenset(
    {"__dict__", "__getattribute__", "__class__", "__dataclass_fields__", "__match_args__"}
)


@dataclass(slots=True)
class Seen:
    """What was found in all code of an asset together."""

    attributes: set[str] = field(default_factory=set)
    """Attributes that are read of values."""
    keywords: set[str] = field(default_factory=set)
    """Names by which arguments are passed."""
    any_keyword: bool = False
    """Whether ``**`` is used, which can pass any name."""
    parameters: set[str] = field(default_factory=set)
    """Parameters that keep their names only if an argument is passed by that name."""
    exact: bool = False
    """Whether the code can see names, docstrings or annotations."""
    whole: bool = False
    """Whether the code can read attributes without naming them."""

    def external(self, text: str) -> None:
        """Note something of another package that the code uses, by its public name after ``@``. Other texts are
        ignored."""
        if text.startswith("@"):
            self.exact |= text in _SEES_NAMES or text.rpartition(".")[2] in _SEES_NAMES_TAIL
            self.exact |= _within(text, _SEES_NAMES_ROOT)
            self.whole |= text in _READS_ANY or _within(text, _READS_ANY_ROOT)

    def name(self, text: str) -> None:
        """Note a name, the name of an attribute, or a text that may be such a name."""
        self.exact |= text in _OF_NAMES
        self.whole |= text in _READS_ANY_ATTRIBUTE


def _within(text: str, roots: frozenset[str]) -> bool:
    return any(text == root or text.startswith(f"{root}.") for root in roots)

"""What code can see beyond the values that it names: names and docstrings, and attributes by any name.

Where it can see names, they are kept in its canonical form; where it can read any attribute, all of a parameter counts.
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
    """What was met on the way, of all code together.

    attributes: that are read of values. keywords, any_keyword: names that arguments are passed by; ``**`` passes any.
    parameters: that keep their names only where something is passed by them. exact: the code can see names, docstrings
    or annotations. whole: it can read attributes without naming them.
    """

    attributes: set[str] = field(default_factory=set)
    keywords: set[str] = field(default_factory=set)
    any_keyword: bool = False
    parameters: set[str] = field(default_factory=set)
    exact: bool = False
    whole: bool = False

    def external(self, text: str) -> None:
        """Something of others that the code uses, by its public name after ``@``; no other text says anything."""
        if text.startswith("@"):
            self.exact |= text in _SEES_NAMES or text.rpartition(".")[2] in _SEES_NAMES_TAIL
            self.exact |= _within(text, _SEES_NAMES_ROOT)
            self.whole |= text in _READS_ANY or _within(text, _READS_ANY_ROOT)

    def name(self, text: str) -> None:
        """A name, an attribute's name, or a text that may be one."""
        self.exact |= text in _OF_NAMES
        self.whole |= text in _READS_ANY_ATTRIBUTE


def _within(text: str, roots: frozenset[str]) -> bool:
    return any(text == root or text.startswith(f"{root}.") for root in roots)

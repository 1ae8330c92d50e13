"""Reads YAML that people wrote. Whatever is wrong with it is told in one line, with its place and without its values.

PyYAML raises errors of many types for a value that cannot be, as for the day 2024-13-45, and none at all for aliases
that stand for more values than fit into memory. Must not know: where the text is from, and what it should hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

DEEPEST = 50
"""At most this many mappings and lists may lie in one another."""
MOST_VALUES = 100_000
"""At most this many values may be told, with those that aliases repeat."""
_WRONG = {
    "timestamp": "there is no such day or time",
    "int": "is no whole number",
    "float": "is no number",
    "bool": "is neither true nor false",
}
"""What is wrong with a value, by its tag in YAML."""
_OF_A_VALUE = (ValueError, OverflowError, LookupError, AttributeError, TypeError)
"""What the constructors of PyYAML raise for values that cannot be."""
_MERGE = "tag:yaml.org,2002:merge"
_QUOTED = re.compile("'.{2,}'", re.DOTALL)


class NotYaml(ValueError):
    """A text that cannot be read as YAML. Its message has line and column, and no part of the text."""


class ImpossibleValue(NotYaml):
    """A text that is YAML, with a value in it that cannot be, or with too much in it."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which names the place of a value that cannot be, does not read on where it is deep, and
    takes no key twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth > DEEPEST:
            raise ImpossibleValue(f"is nested more than {DEEPEST} deep ({_at(self.peek_event().start_mark)})")  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], yaml.Mark] = {}
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                before = first.setdefault((key.tag, key.value), key.start_mark)
                if before is not key.start_mark:
                    raise ImpossibleValue(f"the key of {_at(before)} is given again ({_at(key.start_mark)})")
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except _OF_A_VALUE as error:
            if isinstance(error, NotYaml):
                raise
            wrong = _WRONG.get(node.tag.rpartition(":")[2], "is no such value as its tag says")
            raise ImpossibleValue(f"{wrong} ({_at(node.start_mark)})") from None


def read_yaml(text: str) -> Any:
    """The value of a YAML document; None of an empty one. Raises NotYaml."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _check_size(root)
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise NotYaml(_told(error)) from None
    except yaml.reader.ReaderError as error:
        raise NotYaml(f"a character that must not stand in it at position {error.position}") from None
    except yaml.YAMLError as error:
        raise NotYaml(type(error).__name__) from None


def _told(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, with its place. Names of tags and aliases are left out: they may be parts of a password."""
    problem = str(error.problem)
    if isinstance(error, yaml.composer.ComposerError | yaml.constructor.ConstructorError):
        problem = _QUOTED.sub("'…'", problem)
    return problem if error.problem_mark is None else f"{problem} in {_at(error.problem_mark)}"


def _at(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _check_size(root: yaml.Node) -> None:
    """Raises ImpossibleValue for a document that stands for more than ``MOST_VALUES``, or holds itself."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: yaml.Node) -> int:
        """How many values a node stands for."""
        if id(node) in above:
            raise ImpossibleValue(f"holds itself ({_at(node.start_mark)})")
        if id(node) not in sizes:
            above.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _parts(node)))
            above.remove(id(node))
            if sizes[id(node)] > MOST_VALUES:
                raise ImpossibleValue(f"stands for more than {MOST_VALUES} values ({_at(node.start_mark)})")
        return sizes[id(node)]

    size(root)


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    """The nodes right below a node: the items of a list, the keys and values of a mapping."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair

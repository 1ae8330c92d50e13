"""The selection language: which assets a command is about.

====================================  ===================================================================
``gold.fact_city_daily``              the asset
``gold.fact_*``, ``*``                every asset that the glob matches (``*`` any text, ``?`` a character)
``layer:gold``, ``tag:daily``         every asset of the layer, or with the tag
``+x``, ``x+``, ``+x+``               x with all its upstream, all its downstream, both
``2+x``, ``x+1``, ``2+x+1``           the same, at most so many edges away
``not a``, ``a and b``, ``a or b``    all but a, in both, in either; ``not`` binds closest, ``or`` loosest
``+(a or b)``                         parentheses group; ``+`` touches what it applies to
====================================  ===================================================================

A text is parsed once into a small value, which prints as a text that parses to an equal value, and is
resolved against a universe of assets. Whatever is wrong with it is a SelectionError that points at the place.
What each form chooses is the business of ``orchestration.core.selection.expressions``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, cast

from orchestration.core.errors import SelectionError
from orchestration.core.selection.expressions import (
    And,
    Expression,
    Glob,
    Label,
    Name,
    Not,
    Or,
    Universe,
    Walk,
    error_at,
)

__all__ = ["MAX_NESTING", "Selection", "Universe", "parse"]

MAX_NESTING = 50
"""How deep parentheses and ``not`` may nest; far above use, far below Python's recursion limit."""

_TOKEN = re.compile(r"[A-Za-z0-9_.:*?-]+|[()+]")
_LEVELS = re.compile(r"[0-9]{1,9}")
_KEYWORDS = ("and", "or", "not")
_INSTEAD_OF = {",": "or", "|": "or", ";": "or", "&": "and", "!": "not", "~": "not"}
_JOIN = "use or for what is in either, and for what is in both"
_PLUS = "write +x for x with its upstream, x+ with its downstream, 2+x or x+1 for fewer levels"


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection as it was read. Equal to another one that says the same in the same way."""

    expression: Expression
    text: str = field(compare=False)

    def resolve(self, universe: Universe) -> tuple[str, ...]:
        """The chosen keys in topological order, perhaps none.

        Raises SelectionError for a key, layer or tag that does not exist, and a glob that matches nothing.
        """
        chosen = self.expression.choose(universe, self.text)
        return tuple(key for key in universe.keys if key in chosen)

    def __str__(self) -> str:
        return str(self.expression)


def parse(text: str) -> Selection:
    """Read a selection. Raises SelectionError that points at the first place that cannot be read."""
    return Selection(_Parser(text).whole(), text)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str  # a word, one of ( ) +, or nothing at the end
    at: int

    def touches(self, following: _Token) -> bool:
        return bool(following.text) and self.at + len(self.text) == following.at

    @property
    def is_word(self) -> bool:
        return self.text not in ("", "(", ")", "+", *_KEYWORDS)


class _Parser:
    """Recursive descent: or → and → not → walk → atom."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.next = 0
        self.nesting = 0

    def whole(self) -> Expression:
        if not self.token.text:
            raise SelectionError("the selection is empty", "write * for all assets, or the key of one")
        expression = self._either()
        if self.token.text:
            raise self._not_joined()
        return expression

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    @property
    def previous(self) -> _Token:
        return self.tokens[self.next - 1]

    def _take(self) -> _Token:
        self.next += 1
        return self.previous

    def _error(self, token: _Token, problem: str, remedy: str) -> SelectionError:
        return error_at(self.text, token.at, token.text, problem, remedy)

    def _tokens(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
            elif read := _TOKEN.match(self.text, at):
                tokens.append(token := _Token(read[0], at))
                if (small := token.text.lower()) in _KEYWORDS and token.text != small:
                    raise self._error(token, f"unexpected {token.text!r}", f"write {small}, in small letters")
                at = read.end()
            else:
                instead = _INSTEAD_OF.get(mark := self.text[at])
                remedy = f"use {instead}" if instead else "names have letters, digits and . _ - * ? :"
                raise self._error(_Token(mark, at), f"unexpected {mark!r}", remedy)
        return [*tokens, _Token("", at)]

    def _either(self) -> Expression:
        parts = [self._both()]
        while self.token.text == "or":
            self._take()
            parts.append(self._both())
        flat = [one for part in parts for one in (part.parts if isinstance(part, Or) else (part,))]
        return Or(tuple(flat)) if len(flat) > 1 else flat[0]

    def _both(self) -> Expression:
        parts = [self._negated()]
        while self.token.text == "and":
            self._take()
            parts.append(self._negated())
        flat = [one for part in parts for one in (part.parts if isinstance(part, And) else (part,))]
        return And(tuple(flat)) if len(flat) > 1 else flat[0]

    def _negated(self) -> Expression:
        if self.token.text != "not":
            return self._walk()
        self._deeper(self._take())
        negated = Not(self._negated())
        self.nesting -= 1
        return negated

    def _walk(self) -> Expression:
        up: int | None = 0
        start = self.token
        if _LEVELS.fullmatch(start.text) and start.touches(self.tokens[self.next + 1]):
            if self.tokens[self.next + 1].text == "+":
                up = int(self._take().text)
                self._plus_before()
        elif start.text == "+":
            up = None
            self._plus_before()
        atom = self._atom()
        down: int | None = 0
        if self.token.text == "+" and self.previous.touches(self.token):
            down = self._levels_after(self._take())
        return atom if (up, down) == (0, 0) else Walk(atom, up, down)

    def _plus_before(self) -> None:
        plus = self._take()
        if self.token.text and not plus.touches(self.token):
            raise self._error(plus, "'+' must touch what it applies to", _PLUS)

    def _levels_after(self, plus: _Token) -> int | None:
        if not plus.touches(self.token) or self.token.text == ")":
            return None
        if not _LEVELS.fullmatch(self.token.text):
            problem = f"only a number of levels may follow '+' here, not {self.token.text!r}"
            raise self._error(self.token, problem, _PLUS)
        return int(self._take().text)

    def _atom(self) -> Expression:
        if self.token.text == "(":
            return self._group(self._take())
        if not self.token.is_word:
            raise self._missing_operand()
        word = self._take()
        if word.text.isdigit():
            raise self._error(word, f"{word.text!r} is a number, not an asset", _PLUS)
        if ":" in word.text:
            return self._label(word)
        is_glob = "*" in word.text or "?" in word.text
        return Glob(word.text, word.at) if is_glob else Name(word.text, word.at)

    def _group(self, opening: _Token) -> Expression:
        self._deeper(opening)
        if self.token.text == ")":
            raise self._error(self.token, "nothing stands between the parentheses", "write a selection there")
        expression = self._either()
        if not self.token.text:
            raise self._error(opening, "'(' is never closed", "add the ')' that belongs to it")
        if self.token.text != ")":
            raise self._not_joined()
        self._take()
        self.nesting -= 1
        return expression

    def _label(self, word: _Token) -> Label:
        kind, _, name = word.text.partition(":")
        if kind not in ("layer", "tag"):
            place = _Token(f"{kind}:", word.at)
            raise self._error(place, f"unknown prefix '{kind}:'", "the prefixes are layer: and tag:")
        if not name:
            raise self._error(word, f"'{kind}:' lacks a name", f"write the {kind} right after the colon")
        return Label(cast(Literal["layer", "tag"], kind), name, word.at)

    def _deeper(self, token: _Token) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self._error(token, f"nested more than {MAX_NESTING} deep", "write it in a flatter way")

    def _missing_operand(self) -> SelectionError:
        """Where a name or '(' should stand, there is something else, or the end."""
        token = self.token
        if token.text == "not":
            return self._error(token, "'+' cannot apply to 'not'", "put it in parentheses: +(not x)")
        if token.text in ("and", "or") and (self.next == 0 or self.previous.text in ("(", *_KEYWORDS)):
            return self._error(token, f"nothing stands before {token.text!r}", "write a selection there")
        if token.text == ")" and self.next == 0:
            return self._not_joined()
        if token.text == "+":
            return self._error(token, "unexpected '+'", _PLUS)
        if self.previous.text == "(":
            return self._error(self.previous, "'(' is never closed", "add the ')' that belongs to it")
        return self._error(self.previous, f"nothing follows {self.previous.text!r}", "write a selection there")

    def _not_joined(self) -> SelectionError:
        """After a complete selection there is something that does not go on with it."""
        token = self.token
        if token.text == ")":
            return self._error(token, "no '(' belongs to this ')'", "add it, or take the ')' away")
        if token.text == "+":
            return self._error(token, "'+' must touch what it applies to", _PLUS)
        return self._error(token, f"'and' or 'or' is missing before {token.text!r}", _JOIN)

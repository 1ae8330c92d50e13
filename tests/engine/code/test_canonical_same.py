"""Canonical forms: what may be written otherwise without a change.

Every case is a module ``main`` with the function ``root``, and where it needs one a module ``other``.
"""

from __future__ import annotations

import pytest

from tests.support.code_packages import FormOf

SAME = {
    "comments and docstrings": (
        'def root(x):\n    """Text."""\n    # so\n    return x + 1\n',
        "def root(x):\n    return (x\n            + 1)\n",
    ),
    "annotations": (
        "def root(x: int, *, y: str = 'a') -> int:\n    z: int = x\n    w: str\n    return z\n",
        "def root(x, *, y='a'):\n    z = x\n    return z\n",
    ),
    "parameters": ("def root(a, b=1): return a - b\n", "def root(x, y=1): return x - y\n"),
    "local variables of all kinds": (
        """
        def root(rows):
            import math as m
            from math import floor
            total = 0
            for index, (left, *rest) in enumerate(rows):
                total += left
            with open("x") as file:
                text = file.read()
            try:
                pass
            except ValueError as error:
                print(error)
            match rows:
                case [first, *others]:
                    print(first, others)
                case {"a": value, **remaining}:
                    print(value, remaining)
                case str() as word:
                    print(word)
            if (found := total) > 1:
                print(found)
            def inner(one, *several, **named):
                nonlocal total
                total = one
                return several, named
            class Local:
                attribute = total
            del text
            print([a + b for a in rows for b in a if a], {k: v for k, v in rows})
            return inner, Local, lambda q: q, m.pi, floor(1)
        """,
        """
        def root(r):
            import math as mathematics
            from math import floor as down
            t = 0
            for i, (l, *s) in enumerate(r):
                t += l
            with open("x") as f:
                u = f.read()
            try:
                pass
            except ValueError as e:
                print(e)
            match r:
                case [g, *o]:
                    print(g, o)
                case {"a": w, **z}:
                    print(w, z)
                case str() as h:
                    print(h)
            if (n := t) > 1:
                print(n)
            def within(y, *j, **c):
                nonlocal t
                t = y
                return j, c
            class Other:
                attribute = t
            del u
            print([b + a for b in r for a in b if b], {x: y for x, y in r})
            return within, Other, lambda p: p, mathematics.pi, down(1)
        """,
    ),
    "an alias of a module": (
        "from pyspark.sql import functions as F\ndef root(): return F.max('a')\n",
        "from pyspark.sql import functions as fn\ndef root(): return fn.max('a')\n",
    ),
    "another import of a function of others": (
        "from pyspark.sql import functions as F\ndef root(): return F.max('a')\n",
        "from pyspark.sql.functions import max as top\ndef root(): return top('a')\n",
    ),
    "an import inside the function": (
        "from pyspark.sql import functions as F\ndef root(): return F.max('a')\n",
        "def root():\n    from pyspark.sql import functions as f\n    return f.max('a')\n",
    ),
    "a decorator that keeps what a function gives": (
        "from functools import cache\n@cache\ndef helper(x): return x + 1\ndef root(): return helper(1)\n",
        "def helper(x): return x + 1\ndef root(): return helper(1)\n",
    ),
    "such a decorator within": (
        "import functools\ndef root():\n    @functools.lru_cache(maxsize=1)\n    def f(): return 1\n    return f()\n",
        "def root():\n    def f(): return 1\n    return f()\n",
    ),
    "names of helpers, constants and classes": (
        "N = [1, 2]\nclass A:\n    x = 1\ndef helper(x): return x + len(N)\ndef root(): return helper(A.x)\n",
        "M = [1, 2]\nclass B:\n    x = 1\ndef help_(x): return x + len(M)\ndef root(): return help_(B.x)\n",
    ),
    "a function that calls itself": (
        "def root(x): return root(x - 1) if x else 0\n",
        "def other(x): return other(x - 1) if x else 0\nroot = other\n",
    ),
    "order of a set": ("S = {'a', 'b', 'c'}\ndef root(): return S\n", "S = {'c', 'a', 'b'}\ndef root(): return S\n"),
    "what is not reached": ("X = 1\ndef root(): return 1\n", "X = 2\ndef f(): return 2\ndef root(): return 1\n"),
    "pieces of text": ("def root(x): return f'a' f'b{x}' 'c'\n", "def root(x): return f'ab{x}c'\n"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same(case: str, form: FormOf) -> None:
    one, other = SAME[case]
    assert form(one).text == form(other).text


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("from assets_y.other import direct\ndef root(): return direct(1)\n", ("other",)),
        ("from assets_y.other import direct as d\ndef root(): return d(1)\n", ("other",)),
        ("from assets_y import other\ndef root(): return other.direct(1)\n", ("other",)),
        ("import assets_y.other as o\ndef root(): return o.direct(1)\n", ("other",)),
        ("import assets_y.other\ndef root(): return assets_y.other.direct(1)\n", ("other",)),
        ("from . import other\ndef root(): return other.direct(1)\n", ("other",)),
        ("def root():\n    from assets_y.other import direct\n    return direct(1)\n", ("other",)),
        ("def root():\n    from .other import direct as d\n    return d(1)\n", ("other",)),
        ("def root():\n    import assets_y.other\n    return assets_y.other.direct(1)\n", ("other",)),
        ("def root():\n    import assets_y.elsewhere as e\n    return e.direct(1)\n", ("elsewhere",)),
        ("K = 3\ndef renamed(y): return y + K\ndef root(): return renamed(1)\n", ()),
    ],
)
def test_moved_and_imported_otherwise(text: str, modules: tuple[str, ...], form: FormOf) -> None:
    helper = "LIMIT = 3\ndef direct(x): return x + LIMIT\n"
    want = form("from assets_y.other import direct\ndef root(): return direct(1)\n", other=helper)
    assert form(text, **dict.fromkeys(modules, helper)).text == want.text
    changed = helper.replace("3", "4")
    assert form(text.replace("3", "4"), **dict.fromkeys(modules, changed)).text != want.text

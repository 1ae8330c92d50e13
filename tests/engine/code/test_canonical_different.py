"""Canonical forms: what must never be taken for the same.

Every case is a module ``main`` with the function ``root``, and where it needs one a module ``other``.
"""

from __future__ import annotations

import re

import pytest

from tests.support.code_packages import FormOf


@pytest.mark.parametrize(
    "case",
    [  # a text in which « one | other » are the two versions
        "def root(x): return x «+ | -» 1\n",
        "def root(x): return «1 | 1.0»\n",
        "def root(x): return «1 | True»\n",
        "def root(x): return «'a' | b'a'»\n",
        "def root(x): return x[«1: | :1»]\n",
        "def root(x, y): return «x - y | y - x»\n",
        "def root(x):\n    «a = 1; b = 2 | b = 2; a = 1»\n    return x.f(a, b)\n",
        "def root(x):\n    «x.f(); x.g() | x.g(); x.f()»\n",
        "def root(x): return x.«key | name»\n",
        "from pyspark.sql import functions as F\ndef root(): return F.«max | min»('a')\n",
        "from pyspark.sql.functions import «max | min» as top\ndef root(): return top('a')\n",
        "def root():\n    from math import «floor | ceil» as f\n    return f(1.5)\n",
        "def root(x): return «len | sum»(x)\n",
        "def len(x): return 1\ndef root(x): return «len | sum»(x)\n",
        "def a(): return 1\ndef b(): return 2\ndef root(): return a() - b() if «a | b» else 0\n",
        # local and global names
        "x = 1\ndef root():\n    def f():\n        «x = 2 | global x; x = 2»\n        return x\n    return f(), x\n",
        "x = 5\ndef root():\n    y = 7\n    return [«x | y» for y in (1, 2)]\n",
        "x = 5\ndef root(y):\n    def f():\n        return «x | y»\n    return f()\n",
        (
            "x = 5\ndef root():\n    class A:\n        x = 7\n        def f(self): return x\n"
            "    return A().f(), «x | A.x»\n"
        ),
        (
            "x = «5 | 6»\ndef root():\n    class A:\n        def f(self):\n            x = 1\n"
            "            return x\n        y = x\n    return A.y\n"
        ),
        "x = «5 | 6»\ndef root(c):\n    class A:\n        if c:\n            x = 1\n        y = x\n    return A.y\n",
        "x = «5 | 6»\ndef root(x=1):\n    def f():\n        global x\n        return x\n    return f() + x\n",
        "x = 1\ny = 1\ndef root():\n    global x\n    x = 2\n    return «x | y»\n",
        (
            "def root():\n    a = 1\n    b = 2\n    def f():\n        nonlocal «a | b»\n"
            "        a, b = 3, 4\n    f()\n    return a, b\n"
        ),
        "def root(r): return [a for a in r for b in «a | r»]\n",
        # arguments by name
        "def f(«a, b | b, a»): return a - b\ndef root(): return f(a=1, b=2)\n",
        "def f(«a, b | b, a»): return a - b\ndef root(o): return f(**o)\n",
        "def root(): return (lambda «a, b | b, a»: a - b)(a=1, b=2)\n",
        (
            "from functools import partial\ndef f(«a, b | b, a»): return a - b\nG = partial(f, a=1)\n"
            "def root(): return G(b=2)\n"
        ),
        "def root(*, «a, b | b, a»): return (a, b)[0]\n",
        "def root(x, *, «a | b»): return x + «a | b»\n",
        "def f(x, y=«1 | 2»): return x + y\ndef root(): return f(1)\n",
        "def f(x, *, y=«1 | 2»): return x + y\ndef root(): return f(1)\n",
        "D = «1 | 2»\ndef root():\n    def f(x=D): return x\n    return f()\n",
        "F = [lambda x, i=i: x + i for i in (1, «2 | 3»)]\ndef root(): return F[1](1)\n",
        # constants
        "C = {'a': (1, [«2 | 3»])}\ndef root(): return C\n",
        "C = {'a': 1, «'b': 2, 'c': 3 | 'c': 3, 'b': 2»}\ndef root(): return C\n",
        "C = frozenset({('x', «1 | 2»)})\ndef root(): return C\n",
        "C = «(1,) | [1]»\ndef root(): return C\n",
        "C = [«1 | 2»]\nD = (C, C)\ndef root(): return D\n",
        "import re\nR = re.compile('«a | b»')\ndef root(): return R\n",
        "import re\nR = re.compile('a', «re.I | re.M»)\ndef root(): return R\n",
        "from decimal import Decimal\nD = Decimal('«1.0 | 1.00»')\ndef root(): return D\n",
        "from functools import partial\nP = partial(int, base=«8 | 16»)\ndef root(): return P('10')\n",
        (
            "from functools import partial\ndef f(x, y): return x «+ | -» y\n"
            "P = {'k': partial(f, 1)}\ndef root(): return P\n"
        ),
        "from enum import Enum\nclass E(Enum):\n    A = «1 | 2»\nC = E.A\ndef root(): return C.value\n",
        "from enum import Enum\nclass E(Enum):\n    A = 1\n    B = 2\nC = E.«A | B»\ndef root(): return C\n",
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: int\nC = D(«1 | 2»)\ndef root(): return C.x\n",
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: int = «1 | 2»\ndef root(): return D().x\n",
        (
            "from dataclasses import dataclass\n@dataclass«(order=True) | »\nclass D:\n"
            "    x: int = 1\ndef root(): return D()\n"
        ),
        (
            "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass D:\n"
            "    x: «int | ClassVar[int]» = 1\ndef root(): return D\n"
        ),
        "class A:\n    def __init__(self): self.x = «1 | 2»\nC = A()\ndef root(): return C.x\n",
        "class A:\n    def f(self): return helper()\ndef helper(): return «1 | 2»\nC = A()\ndef root(): return C.f()\n",
        (
            "class A:\n    def f(self): return 1\nclass B(A):\n    pass\nA.f = lambda self: «1 | 2»\n"
            "def root(): return B().f()\n"
        ),
        "class A:\n    x = 1\nA.x = «2 | 3»\ndef root(): return A.x\n",
        "class A:\n    «@staticmethod | @classmethod»\n    def f(*a): return a\ndef root(): return A.f()\n",
        "class A:\n    def f(self): return «1 | 2»\nF = A().f\ndef root(): return F()\n",
        "from collections import namedtuple\nP = namedtuple('P', 'a «b | c»')\ndef root(): return P(1, 2)\n",
        (
            "from typing import NamedTuple\nclass P(NamedTuple):\n    a: int\n    b: int = «1 | 2»\n"
            "def root(): return P(1)\n"
        ),
        "class O:\n    pass\nC = [object(), «1 | 2»]\ndef root(): return C\n",
        "from operator import itemgetter\nG = itemgetter(«1 | 2»)\ndef root(x): return G(x)\n",
        "import array\nA = array.array('i', range(«5000 | 5001»))\ndef root(): return A\n",
        "from types import MappingProxyType\nM = MappingProxyType({'a': «1 | 2»})\ndef root(): return M\n",
        "X = {}\nX['a'] = «1 | 2»\ndef root(): return X\n",
        # functions in many forms
        "from functools import cache\n@cache\ndef f(): return «1 | 2»\ndef root(): return f()\n",
        "A = {'x': lambda v: v + 1, 'y': lambda v: v «+ 2 | + 3»}\ndef root(): return A['y'](1)\n",
        "A, B = lambda: 1, lambda: «2 | 3»\ndef root(): return B()\n",
        "A, B = lambda v: v + 1, lambda v: v + 2\ndef root(): return «A | B»(1)\n",
        "A = lambda: (lambda q: q + «1 | 2»)\nB = A()\ndef root(): return B(1)\n",
        "def make(n):\n    def f(x): return x + n\n    return f\nG = make(«1 | 2»)\ndef root(): return G(1)\n",
        "def make(n): return lambda x: n(x)\nG = make(lambda y: y + «1 | 2»)\ndef root(): return G(1)\n",
        (
            "def twice(f):\n    def g(x): return f(x) * «2 | 3»\n    return g\n@twice\n"
            "def h(x): return x\ndef root(): return h(1)\n"
        ),
        (
            "from functools import wraps\ndef by(n):\n    def d(f):\n        @wraps(f)\n"
            "        def g(x): return f(x) * n\n        return g\n    return d\n@by(«2 | 3»)\n"
            "def h(x): return x\ndef root(): return h(1)\n"
        ),
        (
            "from contextlib import contextmanager\n@contextmanager\ndef c():\n    yield «1 | 2»\n"
            "def root():\n    with c() as x: return x\n"
        ),
        (
            "from functools import singledispatch\n@singledispatch\ndef f(x): return 1\n@f.register\n"
            "def g(x: «int | str»): return 2\ndef root(): return f(1)\n"
        ),
        "def f(): return 1\nf.limit = «1 | 2»\ndef root(): return f.limit\n",
        "exec('def f(x): return x + «1 | 2»')\ndef root(): return f(1)\n",
        "def root():\n    def wrong(f): return 1\n    «@wrong | »\n    def g(): return 2\n    return g\n",
        # what sees names
        "def «helper | other»(): pass\ndef root(): return «helper | other».__name__\n",
        "def root():\n    «a | b» = 1\n    return locals()\n",
        "def root(«a | b»):\n    return f'{«a | b»=}'\n",
        "def helper(): '«one | two»'\ndef root(): return helper.__doc__\n",
        (
            "from dataclasses import dataclass\n@dataclass\nclass «A | B»:\n    x: int = 1\n"
            "def root(): return str(«A | B»())\n"
        ),
        "def make(n):\n    class A:\n        x = (n,)\n    return A\nB = make(«1 | 2»)\ndef root(): return B.x\n",
        "def make(n):\n    class A(n): pass\n    return A\nB = make(«int | str»)\ndef root(): return B\n",
        "import uuid\nN = uuid.«NAMESPACE_DNS | NAMESPACE_URL»\ndef root(): return N\n",
        "import uuid\ndef root(): return uuid.«NAMESPACE_DNS | NAMESPACE_URL»\n",
        (
            "def root():\n    «try: import math | import math\n    try: pass»\n"
            "    except ImportError: return 1\n    return math.pi\n"
        ),
        "from assets_y.other import A\nC = [A, «1 | 2»]\ndef root(): return C\n",
        # modules
        "from assets_y import other\ndef root(n): return getattr(other, n)\n#«1 | 2»\n",
        "from assets_y import other\nM = {'o': other}\ndef root(n): return M\n#«1 | 2»\n",
        "def root():\n    import assets_y.other\n    return assets_y.other\n#«1 | 2»\n",
        "from assets_y import other\ndef root():\n    other.A = 2\n    return other.«A | B»\n",
        # statements
        "async def root(x):\n    «async for | for» y in x: pass\n",
        "def root(x):\n    try: pass\n    except «ValueError | TypeError» as e: raise\n",
        "def root(x):\n    match x:\n        case «'a' | 'b'»: return 1\n",
        "def root(x):\n    match x:\n        case {'a': 1, «**rest | 'b': rest»}: return rest\n",
        "def root(x):\n    while x:\n        «break | continue»\n    else: x()\n",
        "def root(x): return f'{x«!r | !s»}'\n",
        "def root(x): return f'{x:«>3 | <3»}'\n",
        "def root(x): return {**x«, 'a': 1 | , 'a': 2»}\n",
        "def root(x): return (yield «x | (yield x)»)\n",
        "def root(x):\n    x[0]: int = «1 | 2»\n",
        "def root(x):\n    def f(«*a | **a»): return a\n    return f\n",
        "def root(x):\n    def f(a, «/, b | b, /»): return a\n    return f\n",
    ],
)
def test_never_the_same(case: str, form: FormOf) -> None:
    one, other = (re.sub("«(.*?) ?\\| ?(.*?)»", side, case, flags=re.S) for side in (r"\1", r"\2"))
    assert one != other
    modules = (
        [{"other": f"A = 1\nB = 1\ndef f(): return {number}\n"} for number in (1, 2)] if "other" in case else [{}] * 2
    )
    if "#" not in case:
        modules = modules[:1] * 2
    assert form(one, **modules[0]).text != form(other, **modules[1]).text


def test_a_global_of_one_scope_and_local_of_another_is_neither_renamed_nor_lost(form: FormOf) -> None:
    text = "x = 5\ndef root():\n    def f():\n        x = 1\n        return x\n    return f() + x\n"
    renamed = text.replace("        x = 1\n        return x\n", "        y = 1\n        return y\n")
    assert form(text).text == form(renamed).text
    assert form(text.replace("5", "6")).text != form(text).text
    assert form(text.replace("x = 1\n        return x", "y = 1\n        return x")).text != form(text).text

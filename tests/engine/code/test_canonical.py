"""Canonical forms: what may be written otherwise without a change, and what must never be taken for the same.

Every case is a module ``main`` with the function ``root``, and where it needs one a module ``other``, written to a
folder of its own as the package ``assets_y`` and imported anew.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import re
import subprocess
import symtable
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.core.code import scopes
from orchestration.engine.code.reached import Form, form_of

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "assets_y"

FormOf = Callable[..., Form]


@pytest.fixture
def form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FormOf]:
    """The form of ``root`` in the text of ``main``; other modules by keyword."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def made(main: str, **modules: str) -> Form:
        forget()
        for file in folder.glob("*.py"):
            file.unlink()
        for name, text in {"__init__": "", "main": main, **modules}.items():
            (folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        importlib.invalidate_caches()
        linecache.clearcache()
        return form_of([importlib.import_module(f"{PACKAGE}.main").root], PACKAGE)

    yield made
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


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


def test_attributes_and_what_is_read_whole(form: FormOf) -> None:
    found = form("import math\ndef root(at): return at.key, [a.b.c for a in at], math.pi\n")
    assert (found.attributes, found.whole) == ({"key", "b", "c"}, False)
    for text in (
        "def root(at): return getattr(at, 'a')\n",
        "from dataclasses import asdict\ndef root(at): return asdict(at)\n",
        "import dataclasses as d\ndef root(at): return d.replace(at, x=1)\n",
        "from operator import attrgetter\nG = attrgetter('a')\ndef root(at): return G(at)\n",
        "def root(at): return vars(at)\n",
        "def root(at): return at.__dict__\n",
        "class A: pass\ndef root(at):\n    match at:\n        case A(x=1): return 1\n",
        "def root(at): return isinstance(at, str)\n",
    ):
        assert form(text).whole, text


def test_classes_of_the_engine_count_by_content_not_by_name(form: FormOf, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.core.declarations import contract

    text = (
        "from orchestration.core.declarations.contract import RowRule\n"
        "C = RowRule('a', 'null', 'x')\ndef root(): return C, RowRule\n"
    )
    before = form(text)
    assert "RowRule" not in before.text
    assert "orchestration" not in before.text
    assert form(text.replace("'x'", "'y'")).text != before.text
    monkeypatch.setattr(contract, "Renamed", contract.RowRule, raising=False)
    assert form(text.replace("RowRule", "Renamed")).text == before.text


def test_texts_last(form: FormOf, tmp_path: Path) -> None:
    """No address in them, and the same in every process."""
    main = """
        import re
        from functools import partial
        SEEN = {"x", "y", "z", ("a", "b"), frozenset({"p", "q"})}
        THINGS = {object, int, str}
        O = object()
        F = {lambda: 1, lambda: 2}
        G = partial(re.sub, "a")
        def root():
            return SEEN, THINGS, O, G
        """
    text = form(main).text
    assert "0x" not in text
    code = (
        "from assets_y.main import root\nfrom orchestration.engine.code.reached import form_of\n"
        "print(form_of([root], 'assets_y').text)"
    )
    for seed in ("1", "2", "3"):
        environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONHASHSEED": seed}
        answer = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert answer.stdout == f"{text}\n"


def test_a_file_that_changed_since_it_was_imported(form: FormOf, tmp_path: Path) -> None:
    """Where the code is not to be found, what runs counts, byte by byte."""
    form("def root(x): return x + LIMIT\nLIMIT = 1\n")
    function = sys.modules[f"{PACKAGE}.main"].root
    (tmp_path / PACKAGE / "main.py").write_text("# moved\ndef root(y): return y\n", encoding="utf-8")
    assert form_of([function], PACKAGE).text.startswith("#0\n#0 = code(")


# --- scopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    sorted([*ROOT.glob("orchestration/*.py"), *ROOT.glob("assets/*.py"), *ROOT.glob("tests/unit/test_c*.py")]),
    ids=lambda file: file.name,
)
def test_scopes_are_those_of_the_interpreter(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert sorted(own_scopes(ast.parse(text))) == sorted(interpreters_scopes(symtable.symtable(text, "x", "exec")))


def test_scopes_of_odd_code() -> None:
    text = dedent("""
        def f(a, /, b, *c, d, **e):
            global g
            g = 1
            h = [i := j for j in a for k in j]
            l: int
            m[0] = n.o = 1
            async def p(q=(r := 1)): return await q
            with a as (s, *t): del u
            for v in a: pass
            try: import w.x, y as z
            except* A as aa: from b import c as bb
            match a:
                case [cc, *dd] | {"x": ee, **ff}: pass
                case A(x=gg) as hh: pass
            class ii(jj := object):
                kk = 1
                def ll(self): nonlocal h; h = 1
            return lambda mm=(nn := 1): {oo: pp for oo, pp in a}
        """)
    assert sorted(own_scopes(ast.parse(text))) == sorted(interpreters_scopes(symtable.symtable(text, "x", "exec")))


def own_scopes(tree: ast.AST) -> Iterator[tuple[int, tuple[str, ...]]]:
    for node in ast.walk(tree):
        scope = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            scope = scopes.function_scope(node)
        elif isinstance(node, ast.ClassDef):
            scope = scopes.class_scope(node)
        elif isinstance(node, scopes.COMPREHENSIONS):
            scope = scopes.comprehension_scope(node)
        if scope is not None:
            yield node.lineno, tuple(sorted(scope.local))


def interpreters_scopes(table: symtable.SymbolTable) -> Iterator[tuple[int, tuple[str, ...]]]:
    for child in table.get_children():
        made_up = ("__class__", "__module__", "__qualname__", "__static_attributes__", "__firstlineno__")
        names = (
            re.sub("^_[A-Z][a-z]+(?=__)", "", symbol.get_name())
            for symbol in child.get_symbols()
            if symbol.is_local() or symbol.is_parameter()
        )
        yield child.get_lineno(), tuple(sorted(name for name in names if name not in made_up and name[0] != "."))
        yield from interpreters_scopes(child)


# --- properties -----------------------------------------------------------------------------------

REAL = '''
from pyspark.sql import functions as F
HOURS = 24
def session(): return HOURS
def root(frame, *, episode_rule):
    """Runs."""
    hours = frame.by("location_key").order("ts_utc")
    flagged = frame.where(F.col("aqi") >= episode_rule.threshold)
    total = 0
    for number, (name, column) in enumerate(flagged.items()):
        if number % 2 == 1 and name != "x":
            total = total + number * 3
    columns = {key: F.lit(value) for key, value in flagged.items() if key < 9}
    def inner(given, factor=4):
        best = given * factor - total
        return [best + one for one in hours]
    return inner(session() / 7), columns, lambda left: left - 5
'''
LOCALS = [
    *("frame", "hours", "flagged", "total", "number", "name", "column", "columns"),
    *("key", "value", "inner", "given", "factor", "best", "one", "left"),
]
NEW = st.lists(
    st.sampled_from([*LOCALS, "a", "b", "c", "session_", "Frame", "x1", "é", "F_", "HOURS_"]),
    min_size=len(LOCALS),
    max_size=len(LOCALS),
    unique=True,
)


def renamed(text: str, names: dict[str, str]) -> str:
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.copy_location(ast.Name(names.get(node.id, node.id), node.ctx), node)

        def visit_arg(self, node: ast.arg) -> ast.AST:
            return ast.copy_location(ast.arg(names.get(node.arg, node.arg), node.annotation), node)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            self.generic_visit(node)
            node.name = names.get(node.name, node.name)
            return node

    return ast.unparse(ast.fix_missing_locations(Rename().visit(ast.parse(text))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=NEW)
def test_local_variables_may_be_called_anything(new: list[str], form: FormOf) -> None:
    assert form(renamed(REAL, dict(zip(LOCALS, new, strict=True)))).text == form(REAL).text


class Mutations(ast.NodeTransformer):
    """Changes the ``at``-th constant or operator."""

    def __init__(self, at: int) -> None:
        self.left = at

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        new: ast.AST | None = None
        match node:
            case ast.Constant(value=int() as value):
                new = ast.Constant(value + 1)
            case ast.Constant(value=str() as value) if value != "Runs.":
                new = ast.Constant(value + "_")
            case ast.Add() | ast.Div():
                new = ast.Sub()
            case ast.Sub() | ast.Mult() | ast.Mod():
                new = ast.Add()
            case ast.Eq() | ast.NotEq() | ast.GtE():
                new = ast.Lt()
            case ast.Lt():
                new = ast.LtE()
            case ast.And():
                new = ast.Or()
        if new is None:
            return node
        self.left -= 1
        return new if self.left == -1 else node


def test_every_constant_and_every_operator_counts(form: FormOf) -> None:
    texts = {form(REAL).text}
    count = 0
    while True:
        mutations = Mutations(count)
        tree = ast.fix_missing_locations(mutations.visit(ast.parse(REAL)))
        if mutations.left >= 0:
            break
        count += 1
        texts.add(form(ast.unparse(tree)).text)
    assert count > 20
    assert len(texts) == count + 1

"""Code versions: what counts as a change of an asset's code, and what does not.

Modules are written to a folder of their own as the package ``assets_x`` and imported anew for every text.
"""

from __future__ import annotations

import importlib
import linecache
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assets import CATALOG
from orchestration import code_version
from orchestration.asset import Asset, asset
from orchestration.code_version import CodeVersions, normalized
from orchestration.mappings import Identity, RunWindow
from orchestration.parameters import EpisodeRule, Location, Parameters
from resources.settings import load

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = load("local", environment={}).parameters
PACKAGE = "assets_x"

MAIN = '''
"""A module."""
from functools import cache
from uuid import UUID
from assets_x import helpers
from assets_x.helpers import Ranks, helped
from orchestration.asset import asset

RATE = 2.5
NAMES = ["a", "b"]
SEEN = {"x", "y", "z"}
NESTED = {"k": ({"deep"}, [1, 2])}
SPACE = UUID("f294eeae-5847-5f14-8442-6fe9ad83e78f")
START = 7
UNUSED = 1


@cache
def kept(x):
    return x + 1


def unused(x):
    return x


ACTIONS = {
    "add": lambda x: x + 5 + MORE,
}
MORE = 1


@asset(layer="gold", contract="Best")
def best(*, calendar, episode_rule):
    """The best."""
    # a comment
    def inner(x, start=START):
        return helped(x) * RATE + kept(x) + start
    return [inner(name) for name in NAMES], SEEN, NESTED, SPACE, Ranks, helpers.direct(1), ACTIONS["add"](1)
'''

HELPERS = '''
from assets_x.deeper import deep

LIMIT = 10


def helped(x):
    """Help."""
    return deep(x) + LIMIT


def direct(x):
    return also(x)


def also(x):
    return deep(x)


class Ranks:
    """Ranks."""

    def rank(self):
        return ranked()


def ranked():
    return 1
'''

DEEPER = """
def deep(x):
    return x + DEPTH


DEPTH = 3
"""


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(code_version, "PACKAGE", PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    importlib.invalidate_caches()


class Sources:
    """The package as texts; ``version`` imports it and asks for the code version of ``best``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKAGE
        self.folder.mkdir()
        self.texts = {"__init__": "", "main": MAIN, "helpers": HELPERS, "deeper": DEEPER}

    def best(self, changes: dict[tuple[str, str], str] | None = None) -> Asset:
        """``best``, after replacing (module, text) by another text."""
        texts = dict(self.texts)
        for (module, old), new in (changes or {}).items():
            assert texts[module].count(old) == 1, f"{old!r} is not once in {module}"
            texts[module] = texts[module].replace(old, new)
        for module, text in texts.items():
            (self.folder / f"{module}.py").write_text(text, encoding="utf-8")
        forget()
        linecache.clearcache()
        found = importlib.import_module(f"{PACKAGE}.main").best
        assert isinstance(found, Asset)
        return found

    def version(self, module: str = "", old: str = "", new: str = "", parameters: Parameters = PARAMETERS) -> str:
        return CodeVersions(parameters).of(self.best({(module, old): new} if module else None), None)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_a_version_is_sixteen_hexadecimal_digits_and_lasts(sources: Sources) -> None:
    version = sources.version()
    assert len(version) == 16
    assert int(version, 16) >= 0
    assert sources.version() == version


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("main", "    # a comment\n", ""),
        ("main", '    """The best."""\n', '    """Better than the rest."""\n'),
        ("main", '"""A module."""', '"""Another text."""'),
        ("main", "def unused(x):\n    return x", "def unused(x):\n    return x + 1"),
        ("main", "UNUSED = 1", "UNUSED = 2"),
        (
            "main",
            "helped(x) * RATE + kept(x) + start",
            "(helped(x) * RATE\n            + kept(x)) + start  # so",
        ),
        (
            "main",
            'layer="gold", contract="Best"',
            'layer="gold", contract="Other"',
        ),  # it has a digest of its own
        ("main", 'SEEN = {"x", "y", "z"}', 'SEEN = {"z", "x", "y"}'),
        ("main", "\n\nRATE", "\nimport math\n\n\nRATE"),
        ("helpers", '    """Help."""\n', ""),
        ("helpers", '    """Ranks."""\n', '    """The ranks."""\n'),
        ("deeper", "def deep(x):\n", "def deep(x):\n    # deep down\n"),
    ],
)
def test_what_does_not_count(module: str, old: str, new: str, sources: Sources) -> None:
    assert sources.version(module, old, new) == sources.version()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("main", "helped(x) * RATE", "helped(x) / RATE"),
        ("main", "for name in NAMES]", "for name in NAMES if name]"),
        ("main", "RATE = 2.5", "RATE = 2.6"),
        ("main", 'NAMES = ["a", "b"]', 'NAMES = ["b", "a"]'),  # a list has an order
        ("main", 'SEEN = {"x", "y", "z"}', 'SEEN = {"x", "y"}'),
        ("main", '{"deep"}', '{"deeper"}'),
        ("main", "[1, 2]", "[1, 3]"),
        ("main", 'UUID("f2', 'UUID("f3'),
        ("main", "START = 7", "START = 8"),  # only the default of an argument
        ("main", "return x + 1\n\n\ndef unused", "return x + 2\n\n\ndef unused"),  # a helper with @cache
        ("main", "lambda x: x + 5", "lambda x: x + 6"),
        ("main", "MORE = 1", "MORE = 2"),
        ("helpers", "deep(x) + LIMIT", "deep(x) - LIMIT"),
        ("helpers", "LIMIT = 10", "LIMIT = 11"),
        ("helpers", "    return deep(x)\n", "    return deep(x) + 1\n"),  # reached through the module alone
        ("helpers", "    return 1\n", "    return 2\n"),  # reached through a method of a class
        ("deeper", "return x + DEPTH", "return x * DEPTH"),
        ("deeper", "DEPTH = 3", "DEPTH = 4"),
    ],
)
def test_what_counts(module: str, old: str, new: str, sources: Sources) -> None:
    assert sources.version(module, old, new) != sources.version()


def test_a_parameter_counts_where_the_asset_takes_it(sources: Sources) -> None:
    version = sources.version()
    assert sources.version(parameters=replace(PARAMETERS, episode_rule=EpisodeRule(150, 4))) != version
    assert sources.version(parameters=replace(PARAMETERS, episode_rule=EpisodeRule())) == version
    assert sources.version(parameters=replace(PARAMETERS, model_domain="cams_europe")) == version
    fewer = replace(PARAMETERS, pollutants=PARAMETERS.pollutants[:1])
    assert sources.version(parameters=fewer) == version


def test_mappings_count(sources: Sources) -> None:
    """And so does the value of the parameter that a window names, whether the function takes it or not."""
    rows = sources.best()
    window = RunWindow("gold.hours", "aqi", "episode_rule.threshold")
    higher = replace(PARAMETERS, episode_rule=EpisodeRule(200, 4))
    bare = replace(rows, parameters=())
    versions = {
        CodeVersions(PARAMETERS).of(replace(bare, upstream=()), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(Identity("gold.hours"),)), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(window,)), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(replace(window, column="aqi_pm25"),)), None),
        CodeVersions(higher).of(replace(bare, upstream=(window,)), None),
    }
    assert len(versions) == 5


def test_every_process_gives_the_same_versions(sources: Sources) -> None:
    """Sets of text come in another order in every process, and functions lie at other addresses."""
    sources.best()
    code = (
        "from orchestration import code_version\n"
        f"code_version.PACKAGE = {PACKAGE!r}\n"
        "from assets_x.main import best\n"
        "print('\\n'.join(code_version._sources(best.function)))"
    )
    texts = set()
    for seed in ("1", "2", "3"):
        environment = {"PYTHONPATH": f"{sources.folder.parent}:{ROOT}", "PYTHONHASHSEED": seed}
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        texts.add(answer.stdout)
    (text,) = texts
    assert "SEEN = {'x', 'y', 'z'}" in text
    assert " at 0x" not in text


def test_a_parameter_without_lasting_text_is_refused() -> None:
    @asset(layer="gold", contract="C")
    def odd(*, model_domain: str) -> str:
        """Text."""
        return model_domain

    with pytest.raises(TypeError, match="a parameter holds a object, which has no lasting text"):
        CodeVersions(replace(PARAMETERS, model_domain=object())).of(odd, None)  # type: ignore[arg-type]


# --- the real assets ------------------------------------------------------------------------------

BRONZE, PLACES = CATALOG["bronze.open_meteo_hourly"], CATALOG["gold.dim_location"]
HUE = Location("hue", "Huế", 16.46, 107.59, "Asia/Ho_Chi_Minh")


@pytest.fixture
def _real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "PACKAGE", "assets")


@pytest.mark.usefixtures("_real")
def test_adding_a_place_changes_no_other_place_of_bronze() -> None:
    before = CodeVersions(PARAMETERS)
    after = CodeVersions(replace(PARAMETERS, locations=(HUE, *PARAMETERS.locations)))
    for place in PARAMETERS.locations:
        assert after.of(BRONZE, place.key) == before.of(BRONZE, place.key)
    versions = {after.of(BRONZE, place.key) for place in (HUE, *PARAMETERS.locations)}
    assert len(versions) == 4
    assert after.of(PLACES, None) != before.of(PLACES, None)


@pytest.mark.usefixtures("_real")
def test_moving_a_place_changes_that_place_of_bronze_alone() -> None:
    hanoi, *others = PARAMETERS.locations
    before = CodeVersions(PARAMETERS)
    after = CodeVersions(replace(PARAMETERS, locations=(replace(hanoi, latitude=21.1), *others)))
    keys = [place.key for place in PARAMETERS.locations]
    assert [key for key in keys if after.of(BRONZE, key) != before.of(BRONZE, key)] == ["hanoi"]


@pytest.mark.usefixtures("_real")
def test_places_of_other_assets_share_one_version() -> None:
    versions = CodeVersions(PARAMETERS)
    for at in CATALOG:
        if at is not BRONZE:
            assert versions.of(at, "hanoi") == versions.of(at, "hue") == versions.of(at, None)


@pytest.mark.usefixtures("_real")
def test_a_constant_of_the_real_assets_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from assets import dimensions, facts, identifiers

    for key, module, name, value in (
        ("gold.dim_date", dimensions, "MONTHS", [*dimensions.MONTHS[1:], "Smarch"]),
        ("gold.fact_city_daily", facts, "CATEGORIES", {**facts.CATEGORIES, "good": (0, 51)}),
        ("gold.fact_episode", facts, "HOUR_SECONDS", 3601),
        ("gold.fact_episode", identifiers, "NAMESPACE", identifiers.uuid.uuid5(identifiers.NAMESPACE, "x")),
    ):
        before = CodeVersions(PARAMETERS).of(CATALOG[key], None)
        with monkeypatch.context() as changed:
            changed.setattr(module, name, value)
            assert CodeVersions(PARAMETERS).of(CATALOG[key], None) != before, name


@pytest.mark.usefixtures("_real")
def test_each_real_asset_has_a_version_of_its_own() -> None:
    versions = CodeVersions(PARAMETERS)
    assert len({versions.of(at, None) for at in CATALOG}) == len(CATALOG)


# --- normalized source ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # one", "x=1"),
        ("def f():\n    'Text.'\n    return 1", "def f():\n    return 1"),
        ("def f():\n    'Text.'", "def f():\n    pass"),
        ("class A:\n    'Text.'\n    x = 1", "class A:\n    x = 1"),
        ("@asset(layer='gold')\ndef f():\n    return 1", "def f():\n    return 1"),
        ("    def f():\n        return 1", "def f():\n    return 1"),
        ("x = ('a'\n     'b')", "x = 'ab'"),
    ],
)
def test_equal_code(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("def f():\n    return 'Text.'", "def f():\n    return 'Other.'"),
        ("def f():\n    x = 'a'\n    return x", "def f():\n    x = 'b'\n    return x"),
    ],
)
def test_unequal_code(one: str, other: str) -> None:
    assert normalized(one) != normalized(other)


def test_versions_are_the_same_from_many_threads() -> None:
    """Python 3.11 fails now and then where threads parse at once: steps run side by side."""
    from concurrent.futures import ThreadPoolExecutor

    parameters = load(environment={}).parameters
    want = [CodeVersions(parameters).of(asset, None) for asset in CATALOG]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            versions = CodeVersions(parameters)
            assert list(pool.map(lambda asset, of=versions: of.of(asset, None), CATALOG)) == want

"""Code versions: what counts as a change of an asset's code, and what does not.

Modules are written to a folder of their own as the package ``assets_x`` and imported anew for every text.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path

import pytest

from assets.parameters import Calendar, EpisodeRule, Parameters
from orchestration.core.declarations.asset import Asset, asset
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import AllPartitions, Identity, RunWindow
from orchestration.engine.code.code_version import CodeVersions
from orchestration.project import load
from tests.support.code_packages import forget, imported

ROOT = Path(__file__).resolve().parents[3]
PARAMETERS = load("local", environment={}).parameters
PACKAGE = "assets_x"

MAIN = '''
"""A module."""
from functools import cache
from uuid import UUID
from assets_x import helpers
from assets_x.helpers import Ranks, helped
from orchestration.core.declarations.asset import asset

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
    seen = [inner(name) for name in NAMES], SEEN, NESTED, SPACE, Ranks, helpers.direct(1), ACTIONS["add"](1)
    return seen, episode_rule.threshold, calendar.last
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
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    forget(PACKAGE)


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
        found = imported(self.folder, texts).best
        assert isinstance(found, Asset)
        return found

    def version(self, module: str = "", old: str = "", new: str = "", parameters: Parameters = PARAMETERS) -> str:
        return CodeVersions(parameters, PACKAGE).of(self.best({(module, old): new} if module else None), None)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_a_version_is_of_scheme_2_and_lasts(sources: Sources) -> None:
    """``2:<code>:<settings>``, each sixteen hexadecimal digits."""
    version = sources.version()
    assert re.fullmatch("2:[0-9a-f]{16}:[0-9a-f]{16}", version)
    assert sources.version() == version
    versions, found = CodeVersions(PARAMETERS, PACKAGE), sources.best()
    assert f"2:{versions.code_part(found)}:{versions.settings_part(found, None)}" == version


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
        ("main", "def best(*, calendar, episode_rule):", "def best(*, calendar: object, episode_rule: int) -> list:"),
        ("main", "@cache\ndef kept", "def kept"),
        ("main", "seen = [inner(name) for name in NAMES]", "seen = [inner(one) for one in NAMES]"),
        ("deeper", "def deep(x):\n    return x + DEPTH", "def deep(depth):\n    return depth + DEPTH"),
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
    assert sources.version(parameters=replace(PARAMETERS, episode_rule=EpisodeRule(151, 5))) == version  # not read
    assert sources.version(parameters=replace(PARAMETERS, calendar=Calendar("1999-01-01", "2030-12-31"))) == version
    assert sources.version(parameters=replace(PARAMETERS, calendar=Calendar("2022-01-01", "2031-12-31"))) != version
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
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=()), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(Identity("gold.hours"),)), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(AllPartitions("gold.hours"),)), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(Identity("gold.a"), Identity("gold.b"))), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(Identity("gold.b"), Identity("gold.a"))), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(window,)), None),
        CodeVersions(PARAMETERS, PACKAGE).of(replace(bare, upstream=(replace(window, column="aqi_pm25"),)), None),
        CodeVersions(higher, PACKAGE).of(replace(bare, upstream=(window,)), None),
    }
    assert len(versions) == 8
    assert len({version.split(":")[1] for version in versions}) == 1  # they are settings, not code


def test_a_field_of_a_mapping_that_has_its_default_does_not_count(sources: Sources) -> None:
    """A mapping can be given a new field, and no table becomes stale by that."""
    rows, no_window = sources.best(), {"window": None}
    before = make_dataclass("Mapped", ["of"], namespace=no_window)
    after = make_dataclass("Mapped", ["of", ("more", str, "usual")], namespace=no_window)
    mappings = before("gold.hours"), after("gold.hours"), after("gold.hours", "usual"), after("gold.hours", "other")
    versions = [CodeVersions(PARAMETERS, PACKAGE).of(replace(rows, upstream=(mapping,)), None) for mapping in mappings]
    assert versions[0] == versions[1] == versions[2] != versions[3]


@pytest.mark.costly
def test_every_process_gives_the_same_versions(sources: Sources) -> None:
    """Sets of text come in another order in every process, and functions lie at other addresses."""
    sources.best()
    code = (
        "from orchestration.engine.code import code_version\n"
        "from assets_x.main import best\n"
        "from orchestration.project import load\n"
        f"versions = code_version.CodeVersions(load('local', environment={{}}).parameters, {PACKAGE!r})\n"
        "print(versions.of(best, None))\n"
        "print(versions.form(best).text)"
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
    assert "set(str:'x',str:'y',str:'z')" in text
    assert "0x" not in text


def test_a_parameter_without_lasting_text_is_refused() -> None:
    @asset(layer="gold", contract="C")
    def odd(*, model_domain: str) -> str:
        """Text."""
        return model_domain

    with pytest.raises(TypeError, match="a parameter holds a object, which has no lasting text"):
        CodeVersions(replace(PARAMETERS, model_domain=object()), PACKAGE).of(odd, None)  # type: ignore[arg-type]


# --- parameters that are read whole ---------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    bounds: tuple[tuple[str, float | None, float | None], ...]

    def of(self, column: str) -> tuple[float | None, float | None]:
        return next(((low, high) for name, low, high in self.bounds if name == column), (None, None))


@dataclass(frozen=True)
class Limited:
    locations: tuple[Location, ...]
    limits: Limits


def test_a_method_of_a_parameter_reads_it_whole_and_counts_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(layer="gold", contract="C")
    def bounded(*, limits: Limits) -> object:
        """Text."""
        return limits.of("aqi")

    given = Limited(PARAMETERS.locations, Limits(()))
    versions = CodeVersions(given, "tests")
    assert versions.used(bounded) == {"limits": None}
    assert versions.arguments(bounded) == {"limits": given.limits}
    other = CodeVersions(replace(given, limits=Limits((("x", 1.0, None),))), "tests")
    assert other.code_part(bounded) == versions.code_part(bounded)
    assert other.settings_part(bounded, None) != versions.settings_part(bounded, None)
    monkeypatch.setattr(Limits, "of", lambda limits, column: (None, None))
    assert CodeVersions(given, "tests").code_part(bounded) != versions.code_part(bounded)


def test_getattr_reads_all_parameters_whole() -> None:
    @asset(layer="gold", contract="C")
    def dynamic(*, episode_rule: EpisodeRule, locations: tuple[Location, ...]) -> object:
        """Text."""
        return getattr(episode_rule, "thresh" + "old"), locations

    assert CodeVersions(PARAMETERS, "assets").used(dynamic) == {"episode_rule": None, "locations": None}

"""Code versions: what counts as a change of an asset's code, and what does not.

Modules are written to a folder of their own as the package ``assets_x`` and imported anew for every text.
"""

from __future__ import annotations

import importlib
import linecache
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assets import CATALOG
from orchestration.core.declarations.asset import Asset, Check, asset
from orchestration.core.declarations.parameters import Calendar, EpisodeRule, Limits, Parameters
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import AllPartitions, Identity, RunWindow
from orchestration.engine.code import code_version
from orchestration.engine.code.code_version import CodeVersions
from orchestration.engine.contracts import load_contracts
from resources.settings.load import load

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


def test_a_version_is_of_scheme_2_and_lasts(sources: Sources) -> None:
    """``2:<code>:<settings>``, each sixteen hexadecimal digits."""
    version = sources.version()
    assert re.fullmatch("2:[0-9a-f]{16}:[0-9a-f]{16}", version)
    assert sources.version() == version
    versions, found = CodeVersions(PARAMETERS), sources.best()
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
        CodeVersions(PARAMETERS).of(replace(bare, upstream=()), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(Identity("gold.hours"),)), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(AllPartitions("gold.hours"),)), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(Identity("gold.a"), Identity("gold.b"))), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(Identity("gold.b"), Identity("gold.a"))), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(window,)), None),
        CodeVersions(PARAMETERS).of(replace(bare, upstream=(replace(window, column="aqi_pm25"),)), None),
        CodeVersions(higher).of(replace(bare, upstream=(window,)), None),
    }
    assert len(versions) == 8
    assert len({version.split(":")[1] for version in versions}) == 1  # they are settings, not code


def test_every_process_gives_the_same_versions(sources: Sources) -> None:
    """Sets of text come in another order in every process, and functions lie at other addresses."""
    sources.best()
    code = (
        "from orchestration.engine.code import code_version\n"
        f"code_version.PACKAGE = {PACKAGE!r}\n"
        "from assets_x.main import best\n"
        "from resources.settings.load import load\n"
        "versions = code_version.CodeVersions(load('local', environment={}).parameters)\n"
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
        CodeVersions(replace(PARAMETERS, model_domain=object())).of(odd, None)  # type: ignore[arg-type]


# --- the real assets ------------------------------------------------------------------------------

BRONZE, PLACES = CATALOG["bronze.open_meteo_hourly"], CATALOG["gold.dim_location"]
RULED = "silver.air_quality_hourly_clean"
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


@pytest.mark.usefixtures("_real")
def test_bronze_reads_key_latitude_and_longitude_of_a_place() -> None:
    """Another name or time zone changes no version of it; ``gold.dim_location`` shows them."""
    hanoi, *others = PARAMETERS.locations
    before = CodeVersions(PARAMETERS)
    after = before.with_locations((replace(hanoi, name="Hà Nội (centre)", timezone="UTC"), *others))
    assert before.used(BRONZE)["locations"] == {"key", "latitude", "longitude"}
    assert after.of(BRONZE, "hanoi") == before.of(BRONZE, "hanoi")
    assert after.of(PLACES, None) != before.of(PLACES, None)
    assert after.code_part(PLACES) == before.code_part(PLACES)
    alone = CodeVersions(
        replace(PARAMETERS, locations=(replace(hanoi, name="Hà Nội (centre)", timezone="UTC"), *others))
    )
    assert after.of(PLACES, None) == alone.of(PLACES, None)


@pytest.mark.usefixtures("_real")
def test_a_property_counts_by_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    episode = CATALOG["gold.fact_episode"]
    versions = CodeVersions(PARAMETERS)
    assert versions.used(episode) == {"episode_rule": {"threshold", "min_hours", "code"}}
    before = versions.settings_part(episode, None)
    monkeypatch.setattr(EpisodeRule, "code", property(lambda rule: f"AQI>{rule.threshold}"))
    after = CodeVersions(PARAMETERS)
    assert after.settings_part(episode, None) != before
    assert after.code_part(episode) == versions.code_part(episode)


@pytest.mark.usefixtures("_real")
def test_classes_of_the_engine_may_be_renamed_and_moved() -> None:
    before = {at.key: CodeVersions(PARAMETERS).of(at, None) for at in CATALOG}
    kinds = (Identity, AllPartitions, RunWindow, Location, EpisodeRule, Calendar, Check, Asset)
    names = [(kind.__name__, kind.__qualname__, kind.__module__) for kind in kinds]
    try:
        for kind in kinds:
            kind.__name__ = kind.__qualname__ = "Renamed"
            kind.__module__ = "orchestration.elsewhere"
        assert {at.key: CodeVersions(PARAMETERS).of(at, None) for at in CATALOG} == before
    finally:
        for kind, (name, qualified, module) in zip(kinds, names, strict=True):
            kind.__name__, kind.__qualname__, kind.__module__ = name, qualified, module


@pytest.mark.usefixtures("_real")
def test_every_real_asset_is_given_what_its_version_counts() -> None:
    parameters = replace(PARAMETERS, row_rules=load_contracts(CATALOG, PARAMETERS.limits)[RULED].rules)
    versions = CodeVersions(parameters)
    for at in CATALOG:
        given = versions.arguments(at)
        assert set(given) == set(at.parameters)
    (hanoi, *_) = versions.arguments(BRONZE)["locations"]
    assert (hanoi.key, hanoi.latitude) == ("hanoi", PARAMETERS.locations[0].latitude)
    with pytest.raises(DeclarationError, match="the attribute 'name' of a Location was read"):
        _ = hanoi.name
    rules = versions.arguments(CATALOG[RULED])["row_rules"]
    assert versions.used(CATALOG[RULED]) == {"row_rules": {"rule", "kind", "column", "bound", "other"}}
    assert len(rules) == len(parameters.row_rules)
    assert versions.arguments(CATALOG["gold.fact_episode"])["episode_rule"].code == "AQI>=151_4h"
    other = replace(parameters, model_domain="cams_europe")
    assert versions.arguments(BRONZE, other)["model_domain"] == "cams_europe"


@pytest.mark.usefixtures("_real")
def test_versions_of_checks() -> None:
    versions = CodeVersions(PARAMETERS)
    checks = [check for at in CATALOG for check in at.checks]
    found = [versions.check_version(check) for check in checks]
    assert all(re.fullmatch("[0-9a-f]{8}", version) for version in found)
    by_name = {(check.name, version) for check, version in zip(checks, found, strict=True)}
    assert len(by_name) == 5  # outside_calendar is of two columns
    assert versions.check_version(replace(checks[0], blocking=not checks[0].blocking)) != found[0]
    assert versions.check_version(replace(checks[0], remedy="Other words.", name="other")) == found[0]


# --- parameters that are read whole -----------------------------------------------------------------


def test_a_method_of_a_parameter_reads_it_whole_and_counts_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(layer="gold", contract="C")
    def bounded(*, limits: Limits) -> object:
        """Text."""
        return limits.of("aqi")

    versions = CodeVersions(PARAMETERS)
    assert versions.used(bounded) == {"limits": None}
    assert versions.arguments(bounded) == {"limits": PARAMETERS.limits}
    other = CodeVersions(replace(PARAMETERS, limits=Limits((("x", 1.0, None),))))
    assert other.code_part(bounded) == versions.code_part(bounded)
    assert other.settings_part(bounded, None) != versions.settings_part(bounded, None)
    monkeypatch.setattr(Limits, "of", lambda limits, column: (None, None))
    assert CodeVersions(PARAMETERS).code_part(bounded) != versions.code_part(bounded)


def test_getattr_reads_all_parameters_whole() -> None:
    @asset(layer="gold", contract="C")
    def dynamic(*, episode_rule: EpisodeRule, locations: tuple[Location, ...]) -> object:
        """Text."""
        return getattr(episode_rule, "thresh" + "old"), locations

    assert CodeVersions(PARAMETERS).used(dynamic) == {"episode_rule": None, "locations": None}


def test_versions_are_the_same_from_many_threads() -> None:
    """Python 3.11 fails now and then where threads parse at once: steps run side by side."""
    from concurrent.futures import ThreadPoolExecutor

    parameters = load(environment={}).parameters
    want = [CodeVersions(parameters).of(asset, None) for asset in CATALOG]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            versions = CodeVersions(parameters)
            assert list(pool.map(lambda asset, of=versions: of.of(asset, None), CATALOG)) == want

"""What is locked: exact versions with digests, from no place of its own, and those that were measured together."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.tags import cpython_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from tests.support.setup_script import CODE, ROOT, setup

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = [Requirement(entry.split(" \\\n")[0]) for entry in re.split(r"\n(?=\S)", LOCK) if not entry.startswith("#")]
WANTED = [
    Requirement(line)
    for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


LOCKED = {
    canonical(entry.name): Version(str(entry.specifier).removeprefix("=="))
    for entry in ENTRIES
    if entry.marker is None or entry.marker.evaluate()
}


def test_the_lock_names_no_place_to_fetch_from() -> None:
    for name in (
        "requirements.lock",
        "requirements.in",
        *CODE,
        "config/java.lock.json",
        "Makefile",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text, name
        if name.startswith("requirements"):
            assert not re.search(r"^\s*-(?!-hash=sha256:)", text, flags=re.MULTILINE), f"{name}: an option of pip"


def test_the_lock_is_exact_and_every_entry_has_a_hash() -> None:
    assert all(re.fullmatch(r"==[^*,]+", str(entry.specifier)) for entry in ENTRIES)
    entries = [entry for entry in re.split(r"\n(?=\S)", LOCK) if not entry.startswith("#")]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert setup.only(LOCK, setup.BUILD_TOOLS).count("==") == len(setup.BUILD_TOOLS)


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_the_lock_holds_what_requirements_in_asks_for(wanted: Requirement) -> None:
    assert LOCKED[canonical(wanted.name)] in wanted.specifier


@pytest.mark.parametrize(
    "fact",
    [
        "prefect==3.8.8",
        "fastapi<0.151",
        "sqlalchemy<2.1",
        "pyspark==4.2.0",
        "delta-spark==4.4.0",
        "pandera==0.35.0",
        "pandas<3",
        "deltalake==1.6.6",
        "pysail==0.7.2",
    ],
)
def test_versions_are_those_measured_to_work_together(fact: str) -> None:
    wanted = Requirement(fact)
    assert LOCKED[canonical(wanted.name)] in wanted.specifier


def test_java_libraries_fit_the_python_packages() -> None:
    libraries = {library["name"]: library["version"] for library in setup.java_group(ROOT, "delta")["libraries"]}
    spark = LOCKED["pyspark"]
    assert set(libraries.values()) == {str(LOCKED["delta-spark"])}
    assert f"delta-spark_{spark.major}.{spark.minor}_2.13" in libraries


EMBEDDED_ENGINE = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64": "0c1557ece17e5e277c6f16fa54697e2546717f463add2b8e2f0d5e10a9d92012",
    "manylinux_2_24_aarch64": "51565ea3d840467f8a02bffa9e70f90688021822c0acd7749a2c2bb21c18e80c",
    "macosx_10_12_x86_64": "741f7f714d32fd16fbcddca31994b898b81eb123a00f43c4307076a416426c48",
    "macosx_11_0_arm64": "0b89b32c0f81b263c138291580ce0ae3a98607a173e1c16b16cbb9ca1d3fbe27",
}
"""The wheels of pysail 0.7.2 (cp38-abi3), each fetched for its platform once, with the digest that it had."""


@pytest.mark.parametrize("platform", EMBEDDED_ENGINE)
def test_every_wheel_of_the_embedded_engine_is_locked(platform: str) -> None:
    assert LOCKED["pysail"] == Version("0.7.2")
    assert f"--hash=sha256:{EMBEDDED_ENGINE[platform]}" in setup.only(LOCK, ["pysail"])


@pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)], ids=str)
@pytest.mark.parametrize(
    "platform", ["manylinux_2_17_x86_64", "manylinux_2_24_aarch64", "macosx_10_12_x86_64", "macosx_11_0_arm64"]
)
def test_the_embedded_engine_has_a_wheel_for(platform: str, python: tuple[int, int]) -> None:
    """The platforms are the oldest that will do: glibc 2.17 and 2.24, macOS 10.12 and 11."""
    wheels = [parse_wheel_filename(f"pysail-0.7.2-cp38-abi3-{platform}.whl")[3] for platform in EMBEDDED_ENGINE]
    assert any(tags & set(cpython_tags(python, platforms=[platform])) for tags in wheels)

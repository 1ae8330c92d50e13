"""Profiles that are unknown, not there, or no YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.project import PROJECT
from tests.support.given_settings import profile_file, refusal


@pytest.mark.parametrize("name", ["lokal", "locations", "rules", "LOCAL", "local.json"])
def test_an_unknown_profile(name: str) -> None:
    domain = {"deployments", "locations", "pollutants", "rules"}
    known = sorted({file.stem for file in PROJECT.folder.glob("*.yml")} - domain)
    remedy = f"Profiles are {', '.join(known)}, or the path of a YAML file."
    assert refusal(None, name) == refusal(AQI_PROFILE=name) == (f"profile: {name!r} is unknown", remedy)


@pytest.mark.parametrize("name", ["no/such/file", "none.yml", "none.yaml", "/"])
def test_a_profile_file_that_is_not_there(name: str) -> None:
    assert refusal(None, name) == (f"profile: there is no file {name}", "Name a YAML file that exists.")


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b", "list"), ("text", "str"), ("3", "int")])
def test_a_profile_that_is_no_mapping(text: str, kind: str, tmp_path: Path) -> None:
    profile = profile_file(tmp_path, text)
    assert refusal(None, profile) == (f"{profile}: must hold sections (got a {kind})", "")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tx: 1", b"\xff\xfe\x00", b"name: H\xe0 N\xf4i"])
def test_a_profile_that_is_no_yaml(text: str | bytes, tmp_path: Path) -> None:
    profile = profile_file(tmp_path, text)
    message, remedy = refusal(None, profile)
    assert message.startswith(f"{profile}: is not YAML: ")
    assert remedy == "Correct the file."

"""Settings as a test gives them, and how they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import ConfigurationError
from orchestration.project import load
from resources.settings.load import Settings

HUE = {"key": "hue", "name": "Huế", "latitude": 16.46, "longitude": 107.59, "timezone": "Asia/Ho_Chi_Minh"}


def given(flags: Mapping[str, Any] | None = None, profile: str | None = None, **environment: str) -> Settings:
    return load(profile, environment, flags)


def refused(
    flags: Mapping[str, Any] | None = None, profile: str | None = None, **environment: str
) -> ConfigurationError:
    """The error with which these settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        load(profile, environment, flags)
    return caught.value


def refusal(flags: Mapping[str, Any] | None = None, profile: str | None = None, **environment: str) -> tuple[str, str]:
    """The message and the remedy with which these settings are refused."""
    error = refused(flags, profile, **environment)
    return error.message, error.remedy


def profile_file(folder: Path, text: str | bytes) -> str:
    path = folder / "profile.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


CORRECT = "Correct the value."

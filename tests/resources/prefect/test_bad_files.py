"""Files of Prefect's settings that Prefect does not take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import pytest

from orchestration.core.errors import MachineError
from resources.prefect.server import configured_api_url
try:
    configured_api_url()
except MachineError as error:
    print(error)
"""


@pytest.mark.costly
def test_an_address_in_a_profile_that_prefect_does_not_take(tmp_path: Path) -> None:
    """In a process of its own: Prefect reads its files once."""
    told = 'active = "p"\n[profiles.p]\nPREFECT_API_URL = "http://me:s3cret@[::1"\n'
    (tmp_path / "profiles.toml").write_text(told, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    call = [sys.executable, "-c", ASK]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.stdout.startswith("Prefect does not take its settings (")
    assert f"Correct them in {tmp_path / 'profiles.toml'}, or in prefect.toml" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr

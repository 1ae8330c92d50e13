"""Make docs/report.png: the report on what `aqi demo` makes, as Chromium shows it.

    .venv/bin/python scripts/report_picture.py [FILE]

Needs chromium on PATH (chromium-browser, google-chrome) and half a minute; no network, no Java.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AQI = Path(sys.executable).parent / "aqi"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NOW = "2026-01-10T06:10:00Z"
"""So the picture is the same whenever it is made."""
ADDRESS = "#assets/gold.fact_air_quality_hourly/aqi"
WIDTH, HEIGHT = 1280, 1000
DAYS = 30


def main(output: Path) -> int:
    """Write the picture; gives the exit status."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser: one of {', '.join(BROWSERS)} has to be on PATH", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder, report = Path(name), Path(name) / "report.html"
        environment = {**os.environ, "AQI_CLOCK__NOW": NOW, "AQI_WAREHOUSE__URI": "demo-warehouse"}
        for call in (["demo", "--days", str(DAYS)], ["report", "-o", report.name]):
            subprocess.run([AQI, *call], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        text = report.read_text(encoding="utf-8")
        report.write_text(text.replace(f"{folder}/", "/data/"), encoding="utf-8")
        flags = ["--headless", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}", "--force-color-profile=srgb"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # which root has none of
        picture = folder / "report.png"
        address = f"{report.as_uri()}{ADDRESS}"
        call = [browser, *flags, f"--user-data-dir={folder / 'browser'}", f"--screenshot={picture}", address]
        subprocess.run(call, check=True, capture_output=True, timeout=60)
        shutil.copyfile(picture, output)
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "report.png"))

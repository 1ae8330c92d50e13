"""Words of air and of its provider, of which the engine knows none, and where they stand in a text."""

from __future__ import annotations

import re

AIR = re.compile(
    r"\bair\b|airquality|pollut|pm2|pm10|ozone|meteo|weather|\bcams|hanoi|danang|hcmc|episode|\bcity\b|\bcities\b|aqi",
    re.IGNORECASE,
)
COMMANDS = (
    "accept|backfill|checks|config|demo|deploy|doctor|freshness|lineage|location|maintenance|materialize|metrics|migrate|"
    "plan|repair|report|runs|show|simulate|status|verify|watch|wipe|worker"
)
AROUND = 30
"""So many characters around a word are shown."""
NAME = re.compile(
    r"AQI_[A-Z_]*"  # variables of the environment
    rf"|\baqi (?:{COMMANDS})\b"  # the command, as in `aqi repair`
    r"|`aqi`"
)
"""The command's name, which is not a word of air where it stands like this."""


def words_of_air(text: str, *also_names: str) -> list[str]:
    """The words of air in a text, each with what stands around it. also_names: more forms of the command's name."""
    rest = re.sub("|".join([NAME.pattern, *also_names]), " ", text)
    return [rest[max(0, found.start() - AROUND) : found.end() + AROUND].strip() for found in AIR.finditer(rest)]

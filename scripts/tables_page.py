"""Writes docs/TABLES.md from the contracts, with the limits of the profile ``local``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "TABLES.md"
INTRO = (
    "Every table with its columns, as its contract in `assets/contracts.py` declares them. Timestamps are "
    "UTC instants, dates UTC days. Limits are those of `config/rules.yml`. Made by `scripts/tables_page.py`; "
    "do not edit."
)


def page() -> str:
    """The text of docs/TABLES.md as it has to be now; made from the models, not from a kept form."""
    from assets import CATALOG
    from orchestration.core.declarations.asset import LAYERS
    from orchestration.core.declarations.contract import tables_page
    from orchestration.project import PROJECT, load

    named = PROJECT.contracts(load("local", environment={})).make()
    keys = sorted(CATALOG.keys, key=lambda key: LAYERS.index(CATALOG.layer_of(key)))
    return tables_page({asset.key: named[asset.contract] for asset in CATALOG}, keys, INTRO)


def main() -> int:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())

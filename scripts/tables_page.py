"""Writes docs/TABLES.md from the contracts, with the limits of the profile ``local``.

python scripts/tables_page.py           writes
python scripts/tables_page.py --check   exit status 1 where the page is not what the contracts say
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "TABLES.md"
INTRO = (
    "Every table with its columns, as its contract in `assets/contracts.py` declares them. Timestamps are "
    "UTC instants, dates UTC days. Limits are those of `config/rules.yml`. Made by `make docs`; do not edit."
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


def main(arguments: list[str], file: Path = PAGE) -> int:
    """Writes the page, or with `--check` only compares it."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/tables_page.py [--check]", file=sys.stderr)
        return 2
    made = page()
    if not arguments:
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != made:
        print(f"{file.name} is not what the contracts say: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))

"""`make bench`: whole commands against others that do the same work, in turn; ratios, a JSON file and a picture.

    .venv/bin/python scripts/bench.py [--only NAME …] [--repeat N] [--output DIR] [--smoke]
    .venv/bin/python scripts/bench.py --fill FILE.json …      puts figures into docs/PERFORMANCE.md, and the picture
    .venv/bin/python scripts/bench.py --list

docs/PERFORMANCE.md says what each figure is, and what stands in the JSON. Exit status 1 where a side failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # called by its path
    sys.path.insert(0, str(ROOT))

from scripts.benches import against_plain, hours, machine, peers, scale  # noqa: E402
from scripts.benches.declared import Bench, Skipped  # noqa: E402
from scripts.benches.page import caption, filled  # noqa: E402
from scripts.benches.picture import in_words, picture  # noqa: E402
from scripts.benches.processes import Failed  # noqa: E402
from scripts.benches.rounds import measure, not_made  # noqa: E402
from scripts.benches.site import Site, site  # noqa: E402

FORMAT = 1
PAGE = ROOT / "docs" / "PERFORMANCE.md"
PICTURE = "performance.svg"
BENCHES: Mapping[str, Callable[[Site], Bench]] = {
    "yardstick": against_plain.yardstick,
    "spark-server": against_plain.spark_server,
    "spark-own": against_plain.spark_own,
    "embedded-server": against_plain.embedded_server,
    "embedded-own": against_plain.embedded_own,
    "duckdb": against_plain.duckdb,
    "locations": scale.locations,
    "chunks": scale.chunks,
    "sessions": scale.sessions,
    "hourly": hours.hourly,
    "dagster-spark": peers.dagster_spark,
    "dagster-empty": peers.dagster_empty,
    "graph": peers.graph,
}
SMOKE = ("spark-server", "duckdb")
"""What a smoke test makes unless it is told: both engines, both plain scripts."""


def bench(names: Sequence[str], repeat: int | None, output: Path, smoke: bool) -> dict[str, Any]:
    """Measure, and write ``bench.json`` and ``bench.svg`` to ``output`` after each bench. Gives what was written."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "smoke": smoke,
        "began": _now(),
        **machine.described(ROOT),
        "load": {"start": machine.load(), "end": machine.load()},
        "benches": [],
    }
    for name in names:
        title = (BENCHES[name].__doc__ or name).splitlines()[0].rstrip(".")
        with site(output, smoke) as here:
            try:
                declared = BENCHES[name](here)
                rounds = repeat or (1 if smoke else declared.rounds)
                figures = measure(
                    declared, rounds, output / "logs", ROOT, _tell, warm_up=declared.warm_up and not smoke
                )
            except Skipped as why:
                figures = not_made(name, title, skipped=str(why))
                _tell(f"{name}: left out: {why}")
            except Failed as why:
                figures = not_made(name, title, failed=str(why))
                _tell(f"{name}: failed: {why}")
        for ratio in figures["ratios"]:
            _tell(f"{name}: {in_words(ratio)}")
        document["benches"].append(figures)
        document["ended"], document["load"]["end"] = _now(), machine.load()
        (output / "bench.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (output / "bench.svg").write_text(picture(document["benches"], caption(document)), encoding="utf-8")
    return document


def fill(files: Sequence[Path], page: Path = PAGE) -> None:
    """Put the figures of ``files`` into a page, and their picture beside it. Raises ValueError for those of a smoke."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for file, document in zip(files, documents, strict=True):
        if document.get("format") != FORMAT or document["smoke"]:
            raise ValueError(f"{file} has no figures for people: it is of another format, or of a smoke test")
    page.write_text(filled(page.read_text(encoding="utf-8"), documents, PICTURE), encoding="utf-8")
    benches = [figures for document in documents for figures in document["benches"]]
    page.with_name(PICTURE).write_text(picture(benches, caption(documents[0])), encoding="utf-8")


def has_failed(document: Mapping[str, Any]) -> bool:
    """Whether a bench or one of its sides failed."""
    return any(one["failed"] or any(side["failed"] for side in one["sides"]) for one in document["benches"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(BENCHES), help="these, in this order")
    parser.add_argument("--repeat", type=int, metavar="N", help="so many rounds that count, in place of each one's own")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench", metavar="DIR")
    parser.add_argument("--smoke", action="store_true", help="everything in its smallest size, once, without warm-up")
    parser.add_argument(
        "--fill", type=Path, nargs="+", metavar="FILE", help="write docs/PERFORMANCE.md, measure nothing"
    )
    parser.add_argument("--list", action="store_true", help="say what there is")
    options = parser.parse_args(arguments)
    if options.list:
        for name, make in BENCHES.items():
            print(f"{name:18}{(make.__doc__ or '').splitlines()[0]}")
        return 0
    if options.fill:
        try:
            fill(options.fill)
        except ValueError as error:
            parser.error(str(error))
        return 0
    if options.repeat is not None and options.repeat < 1:
        parser.error("--repeat must be at least 1")
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    names = options.only or (SMOKE if options.smoke else tuple(BENCHES))
    document = bench(names, options.repeat, output, options.smoke)
    _tell(f"wrote {output / 'bench.json'} and bench.svg beside it")
    return 1 if has_failed(document) else 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended, and its folder goes away
    sys.exit(main())

"""What a person is told if the function of an asset names a column that is not there: asset, column, line, and which
columns there are."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import CheckFailed, LakehouseError
from orchestration.core.runs.unknown_columns import unknown_column
from orchestration.engine.fetching import stored_columns
from orchestration.engine.run_context import RunContext


@contextmanager
def naming_unknown_columns(asset: Asset, context: RunContext) -> Iterator[None]:
    """While the function of an asset is called: raises CheckFailed in place of the engine's words for a column that is
    not there."""
    try:
        yield
    except LakehouseError:
        raise
    except Exception as error:
        name = unknown_column(str(error))
        if not name:
            raise
        told = f"{asset.key}: its function names the column {name!r}, which is not there ({_line(asset, name)})"
        raise CheckFailed(told, _there(name, _given(asset, context))) from error


def _given(asset: Asset, context: RunContext) -> dict[str, Sequence[str]]:
    """Upstream asset, or source → the columns that the function is given."""
    if asset.source is not None:
        return {asset.source: [name for name, _ in stored_columns(context.sources[asset.source])]}
    return {of: context.contracts[of].column_names for of in asset.upstream_keys}


def _there(name: str, given: Mapping[str, Sequence[str]]) -> str:
    near = get_close_matches(name, dict.fromkeys(column for of in given.values() for column in of), n=1)
    told = [f"{of} has {', '.join(columns)}" for of, columns in given.items()]
    return "; ".join(told) + "." + (f" Did you mean {near[0]!r}?" if near else "")


def _line(asset: Asset, name: str) -> str:
    """``assets/facts.py, line 118``: of the function the line with the name; else its first one."""
    function = inspect.unwrap(asset.function)
    try:
        lines, first = inspect.getsourcelines(function)
        path = Path(inspect.getsourcefile(function) or "")
    except (OSError, TypeError):
        return f"in {getattr(function, '__qualname__', function)}"
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    at = next((number for number, line in enumerate(lines) if word.search(line)), 0)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}, line {first + at}"

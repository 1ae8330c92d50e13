"""Where the warehouse of a command is, and that there is one: a location that is mistyped is no empty warehouse.

What reads, mends or removes is refused where there is none. What makes tables makes them where it is told to, and says
where that is.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.core.errors import UsageError
from orchestration.engine.workspace import Workspace
from resources.delta.presence import is_there, nearest, what_is_there
from resources.machine.addresses import without_secrets


def shown(workspace: Workspace) -> str:
    """The whole path, or URI, of the warehouse."""
    uri = workspace.warehouse.uri
    return uri if workspace.warehouse.is_local else without_secrets(uri)


def check_there(workspace: Workspace) -> None:
    """Raises UsageError where there is no warehouse: with its whole path, and how that came about."""
    if not _is_there(workspace):
        what = what_is_there(workspace.warehouse.uri)
        raise UsageError(f"there is no warehouse at {shown(workspace)}: {what}", _remedy(workspace))


def told_if_new(workspace: Workspace) -> str:
    """What to say where the tables of a run would be the first ones there; else empty."""
    return "" if _is_there(workspace) else f"There is no warehouse at {shown(workspace)} yet: a run makes it there."


def _is_there(workspace: Workspace) -> bool:
    return is_there(workspace.warehouse.uri, _layers(workspace))


def _layers(workspace: Workspace) -> set[str]:
    return {asset.layer for asset in workspace.catalog}


def _remedy(workspace: Workspace) -> str:
    folder, said = workspace.warehouse.folder, workspace.settings.warehouse.uri
    if folder is not None and (near := nearest(folder, _layers(workspace))):
        return f"Did you mean {' or '.join(map(str, near[:3]))}? Name it in AQI_WAREHOUSE__URI, or warehouse.uri."
    how = "Name another one in AQI_WAREHOUSE__URI, or warehouse.uri of a profile"
    if said is not None and folder is not None and not Path(said.removeprefix("file://")).expanduser().is_absolute():
        how += f" (it is {said!r}, from the folder in which the command is called)"
    return f"{how}; `aqi materialize` makes one here."

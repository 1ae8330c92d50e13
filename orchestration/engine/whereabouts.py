"""Where the warehouse of a command is, and whether it exists: a mistyped warehouse is not an empty one.

Commands that read, mend or remove are refused if there is no warehouse. Commands that make tables create it, and say
where.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.core.errors import UsageError
from orchestration.engine.workspace import Workspace
from resources.delta.presence import is_there, nearest, what_is_there
from resources.machine.addresses import without_secrets


def shown(workspace: Workspace) -> str:
    """The full path, or URI, of the warehouse."""
    uri = workspace.warehouse.uri
    return uri if workspace.warehouse.is_local else without_secrets(uri)


def check_there(workspace: Workspace) -> None:
    """Raises UsageError if there is no warehouse, with its full path and with the origin of that setting."""
    if not _is_there(workspace):
        what = what_is_there(workspace.warehouse.uri)
        raise UsageError(f"there is no warehouse at {shown(workspace)}: {what}", _remedy(workspace))


def told_if_new(workspace: Workspace) -> str:
    """A sentence if a run would create the warehouse; else empty."""
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

"""The address of the flows of deployments that servers know: ``orchestration.flows.<flow>``. See ``service.flows``."""

from orchestration.service.flows import backfill, maintenance, materialize

__all__ = ["backfill", "maintenance", "materialize"]

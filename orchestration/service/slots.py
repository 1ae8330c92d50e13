"""How worker and watch free the slots of an environment's deployments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from orchestration.service.deployments import deployment_name, environment_tags
from resources.machine.clock import system_clock
from resources.prefect import slots
from resources.prefect.client import open_api
from resources.settings.load import Settings

TIMEOUT_SECONDS = 10


def free_slots(
    settings: Settings, api_url: str, by: str, pool: str = "", restarted: slots.Restarted | None = None
) -> Sequence[str]:
    """End the runs that hold a slot although their process is gone; see ``resources.prefect.slots``.

    restarted: by this machine's clock.
    """
    waits = {
        deployment_name(settings, name): timedelta(minutes=item.overlap.wait_minutes)
        for name, item in settings.deployments.items()
        if item is not None and item.overlap is not None
    }
    bounds = slots.Bounds(timedelta(seconds=settings.deploy.pending_seconds), waits)
    tags = environment_tags(settings)
    with open_api(api_url, retries=0, timeout_seconds=TIMEOUT_SECONDS) as api:
        here = system_clock()
        now = api.clock() or here  # the states on the server are of its clock
        if restarted is not None:
            restarted = slots.Restarted(restarted.name, restarted.at + (now - here))
        return slots.free_slots(api, tags, now, bounds, by, pool, restarted)

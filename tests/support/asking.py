"""How tests ask for plans where what they ask for is drawn."""

from __future__ import annotations

from orchestration.core.planning.request import Refresh, Remake


def kind_of(*, force: bool) -> type[Refresh] | type[Remake]:
    """What makes everything where ``force`` says so, and what is not fresh otherwise."""
    return Remake if force else Refresh

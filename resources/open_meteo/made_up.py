"""How answers of the simulator say that their values are made up: the provider's have no such member.

It stands in the body, so that what is kept, recorded and served again says it too, whoever serves it.

Must not know: HTTP, runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "simulated"
"""Of the object of a location."""
TOLD = "made-up values of a simulator"
PATH = "/simulated"
"""Where a simulator says whether its values are made up, without a request for some: ``{"simulated": true}``, null
where that is another for each answer. The provider has nothing there."""


def is_made_up(document: Mapping[str, Any]) -> bool:
    """Whether the values of a location's answer are."""
    return bool(document.get(MARK))

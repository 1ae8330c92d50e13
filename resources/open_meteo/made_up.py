"""The mark of made-up values in answers of the simulator. The provider's answers have no such member.

The mark is in the body, so that it stays in answers that are kept, recorded or served again.

Must not know: HTTP, runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "simulated"
"""The name of the mark, in the object of a location."""
TOLD = "made-up values of a simulator"
PATH = "/simulated"
"""The path at which a simulator says whether its values are made up: ``{"simulated": true}``; null where this holds of
some only. The provider has nothing at this path."""


def is_made_up(document: Mapping[str, Any]) -> bool:
    """Whether the values of a location's answer are made up."""
    return bool(document.get(MARK))

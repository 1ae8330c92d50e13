"""Days and keys around the end of a February, drawn or written as text."""

from __future__ import annotations

import operator
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import (
    NULL_KEY,
    Days,
    PartitionKey,
)

BASE = date(2024, 2, 20)  # near the end of a February with 29 days
TODAY = date(2025, 8, 14)
quick = settings(max_examples=60, deadline=None)  # deadlines fail on a busy machine
near_days = st.integers(0, 25).map(lambda offset: BASE + timedelta(offset))
date_sets = st.frozensets(near_days, max_size=20)
dated_keys = st.builds(PartitionKey, near_days, st.sampled_from(("danang", "hanoi", "hcmc", "hue-2")))
key_sets = st.frozensets(st.one_of(dated_keys, st.just(NULL_KEY)), max_size=40)
SET_OPERATIONS = [operator.or_, operator.and_, operator.sub]


def d(text: str) -> date:
    return date.fromisoformat(text)


def days(text: str) -> Days:
    """The days that ``Days.__str__`` prints as ``text``."""
    return Days.union_of(Days.of(*map(d, piece.split(".."))) for piece in text.split(", "))


def is_normal(pieces: tuple[tuple[date, date], ...]) -> bool:
    ordinals = [(first.toordinal(), last.toordinal()) for first, last in pieces]
    gaps = [b[0] - a[1] for a, b in pairwise(ordinals)]
    return all(first <= last for first, last in ordinals) and all(gap >= 2 for gap in gaps)

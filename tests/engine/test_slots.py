"""Room for work: never more than there is, large pieces too, the first comer first."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.engine.flow import CHUNKS_AHEAD, PARTITIONS_AHEAD, ahead_of
from orchestration.engine.slots import Slots


@settings(max_examples=40, deadline=None)
@given(number=st.integers(1, 5), wanted=st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_never_more_is_taken_than_there_is_and_all_have_their_turn(number: int, wanted: list[int]) -> None:
    slots, lock, at_once, most, done = Slots(number), threading.Lock(), 0, 0, list[int]()

    def work(of: int) -> None:
        nonlocal at_once, most
        with slots.taken(of):
            with lock:
                at_once += min(of, number)
                most = max(most, at_once)
            time.sleep(0)
            with lock:
                at_once -= min(of, number)
                done.append(of)

    threads = [threading.Thread(target=work, args=(of,)) for of in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(done) == sorted(wanted)
    assert most <= number


def test_a_large_piece_is_not_passed_over() -> None:
    slots, order, begun = Slots(2), list[str](), threading.Event()

    def large() -> None:
        begun.set()
        with slots.taken(2):
            order.append("large")

    def small() -> None:
        with slots.taken():
            order.append("small")

    with slots.taken():
        first = threading.Thread(target=large)
        first.start()
        begun.wait(10)
        time.sleep(0.1)  # it stands in the queue
        second = threading.Thread(target=small)
        second.start()
        second.join(0.2)
        assert order == []
    first.join(10)
    second.join(10)
    assert order == ["large", "small"]


def test_what_fails_gives_its_slots_back() -> None:
    slots = Slots(1)
    with pytest.raises(ValueError, match="no"), slots.taken():
        raise ValueError("no")
    with slots.taken():
        pass


@pytest.mark.parametrize(
    ("sizes", "ahead"),
    [
        ([], CHUNKS_AHEAD),
        ([93, 93, 84], CHUNKS_AHEAD),
        ([1550], CHUNKS_AHEAD),
        ([2700, 2600], 2),
        ([6200], 1),
        ([PARTITIONS_AHEAD * 10, 3], 1),
    ],
)
def test_large_chunks_are_not_fetched_far_ahead(sizes: list[int], ahead: int) -> None:
    assert ahead_of(sizes) == ahead

"""Deliveries: for each channel the messages that it has not taken yet, in the order in which they are to be sent.

Pure: ``orchestration.service.watch`` sends them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from orchestration.core.alerts.incident_words import unsendable
from orchestration.core.alerts.watch_state import REFUSALS, Event, Message, WatchState

KEPT = 1000
"""A channel that takes no messages keeps at most this many; the oldest are dropped."""


def queued(
    state: WatchState, after: WatchState, messages: Sequence[Message], channels: Iterable[str], environment: str = ""
) -> WatchState:
    """``after`` with ``messages`` queued for every channel. state: from before these messages.

    A new channel first gets messages about all open incidents. A channel that is known but not among ``channels`` may
    belong to another process, or may come back: its queue keeps only messages about open incidents.
    """
    channels = set(channels)
    open_before = state.incidents.values()
    old = tuple(Message.of(incident, Event.BEGAN, environment, incident.since) for incident in open_before)
    known = {name: state.undelivered.get(name, old) for name in sorted({*state.undelivered, *channels})}
    all_of = {name: (*before, *messages)[-KEPT:] for name, before in known.items()}
    left = {name: of if name in channels else _not_over(of, after.incidents) for name, of in all_of.items()}
    counts = {}
    for name, looks in state.refused.items():
        ids = {message.id for message in left.get(name, ())}
        counts[name] = {id: count for id, count in looks.items() if id in ids}
    return replace(after, undelivered=left, refused=counts)


def to_send(state: WatchState, channel: str) -> tuple[Message, ...]:
    """The messages that a channel has not taken yet, the oldest first; but messages that it refused before come
    last.
    """
    looks = state.refused.get(channel, {})
    return tuple(sorted(state.undelivered[channel], key=lambda message: looks.get(message.id, 0)))


def delivered(state: WatchState, channel: str, message: Message) -> WatchState:
    """The state after a channel took a message."""
    return _put(state, channel, message, None, 0)


def refused(state: WatchState, channel: str, message: Message) -> tuple[WatchState, Message | None]:
    """The state after a channel refused a message in this observation; and what replaces the message, if anything: the
    message itself, or a short one that is to be sent at once."""
    looks = state.refused.get(channel, {}).get(message.id, 0) + 1
    if looks > REFUSALS:  # it was the short one
        instead = None
    elif looks == REFUSALS:
        title, text = unsendable(message.title)
        instead = replace(message, title=title, text=text)
    else:
        instead = message
    return _put(state, channel, message, instead, looks), instead


def _put(state: WatchState, channel: str, message: Message, instead: Message | None, looks: int) -> WatchState:
    """``instead`` in place of ``message``. looks: in how many observations ``instead`` was refused."""
    queue = state.undelivered[channel]
    at = queue.index(message)
    new = () if instead is None else (instead,)
    counts = {id: count for id, count in state.refused.get(channel, {}).items() if id != message.id}
    counts |= {one.id: looks for one in new if looks}
    undelivered = {**state.undelivered, channel: (*queue[:at], *new, *queue[at + 1 :])}
    return replace(state, undelivered=undelivered, refused={**state.refused, channel: counts})


def _not_over(messages: Iterable[Message], incidents: Container[str]) -> tuple[Message, ...]:
    """The messages that still have to be sent. incidents: keys of the open incidents.

    Messages about an incident that has ended are dropped. But if one of the messages says that the incident began, the
    message that it ended stays: whoever hears of the beginning hears of the end.
    """
    left: list[Message] = []
    for message in messages:
        if message.event is Event.RECOVERED:
            began = any(one.key == message.key and one.event is Event.BEGAN for one in left)
            kept_end = Event.RECOVERED if began else None
            left = [one for one in left if one.key != message.key or one.event is kept_end]
            if began:
                continue
        left.append(message)
    return tuple(one for one in left if one.event is Event.RECOVERED or one.key in incidents)

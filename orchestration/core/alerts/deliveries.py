"""What each channel has yet to take: messages in the order in which they are sent, until they are taken or given up.

Pure: how they are sent is the business of ``orchestration.service.watch``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from orchestration.core.alerts.incident_words import unsendable
from orchestration.core.alerts.watch_state import REFUSALS, Event, Message, WatchState

KEPT = 1000
"""So many messages are kept for a channel that takes none; the oldest go first."""


def queued(
    state: WatchState, after: WatchState, messages: Sequence[Message], channels: Iterable[str], environment: str = ""
) -> WatchState:
    """``after`` with ``messages`` to be sent through every channel; ``state`` is from before that look.

    A channel that is new is first told what was wrong before. For one that is known and not among ``channels``, which
    another process may have, or which may come back, only what is not over is kept.
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
    """What a channel has yet to take: what it refused before comes last, else oldest first."""
    looks = state.refused.get(channel, {})
    return tuple(sorted(state.undelivered[channel], key=lambda message: looks.get(message.id, 0)))


def delivered(state: WatchState, channel: str, message: Message) -> WatchState:
    """After a channel took a message."""
    return _put(state, channel, message, None, 0)


def refused(state: WatchState, channel: str, message: Message) -> tuple[WatchState, Message | None]:
    """After a channel refused a message at a look. Gives what takes its place, if anything does: itself, or a short one
    that is to be tried at once."""
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
    """looks: at which ``instead`` was refused."""
    queue = state.undelivered[channel]
    at = queue.index(message)
    new = () if instead is None else (instead,)
    counts = {id: count for id, count in state.refused.get(channel, {}).items() if id != message.id}
    counts |= {one.id: looks for one in new if looks}
    undelivered = {**state.undelivered, channel: (*queue[:at], *new, *queue[at + 1 :])}
    return replace(state, undelivered=undelivered, refused={**state.refused, channel: counts})


def _not_over(messages: Iterable[Message], incidents: Container[str]) -> tuple[Message, ...]:
    """The messages that still need to be sent. incidents: the keys of those that are open.

    Messages about an incident that has ended are left out. Where one of them says that it began, the message that it
    ended stays: whoever is told of the beginning is told of the end.
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

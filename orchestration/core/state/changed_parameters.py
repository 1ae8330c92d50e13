"""What changed since the code version of a record: the code, or which parameters, from which value to which.

Pure: ``resources.storage.parameter_values`` keeps the earlier values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestration.core.json_value import JsonValue

CODE_OR_PARAMETERS = "its code or parameters changed"
SHOWN = 3
"""At most this many changed values are shown."""
NAMED_BY = ("key", "code", "name")
"""Items of a list are named by the first of these fields that they have."""

Settings = Mapping[str, JsonValue]
"""What the settings part of a code version is a digest of: ``mappings``, and ``parameters`` by name."""


def why_behind(*, same_code: bool, same_settings: bool, then: Settings | None, now: Settings) -> str:
    """Why rows of an earlier code version are stale, for instance ``its parameters changed: rule.threshold 151 → 201``.

    then: the settings of the record; None where they were not kept. now: the settings of today.
    """
    if same_settings:
        return CODE_OR_PARAMETERS if same_code else "its code changed"
    changed = [] if then is None else changed_values(then, now)
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    values = f": {', '.join(changed[:SHOWN])}{more}" if changed else ""
    if not same_code:
        return f"its code changed, and its parameters{values}"
    return f"its parameters changed{values}"


def changed_values(then: Settings, now: Settings) -> list[str]:
    """Every value that differs, as ``path old → new``. Numbers come before texts, since texts may follow from numbers.

    Parameters that only one of the two versions reads are left out.
    """
    before, after = _parameters(then), _parameters(now)
    found = [one for name in before if name in after for one in _changed(name, before[name], after[name])]
    texts = [text for _, text in sorted(found, key=lambda one: one[0])]
    return texts or ([] if then.get("mappings") == now.get("mappings") else ["how it reads its upstream tables"])


def _parameters(settings: Settings) -> Mapping[str, JsonValue]:
    found = settings.get("parameters")
    return found if isinstance(found, Mapping) else {}


def _changed(path: str, then: JsonValue, now: JsonValue) -> Iterator[tuple[bool, str]]:
    """Each value that differs, in words, and whether it is a text."""
    if then == now:
        return
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*then, *now)):
            yield from _changed(f"{path}.{name}", then.get(name), now.get(name))
    elif _is_list(then) and _is_list(now):
        before, after = _named(then), _named(now)
        for name in dict.fromkeys((*before, *after)):
            if name not in after:
                yield False, f"{path}: {name} is gone"
            elif name not in before:
                yield False, f"{path}: {name} is new"
            else:
                yield from _changed(f"{path}.{name}", before[name], after[name])
    else:
        yield isinstance(now, str), f"{path} {_text(then)} → {_text(now)}"


def _is_list(value: JsonValue) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _named(items: JsonValue) -> dict[str, JsonValue]:
    """The items of a list by their names; an item without a name is named by its content."""
    assert isinstance(items, Sequence)
    return {_name(number, item): item for number, item in enumerate(items)}


def _name(number: int, item: JsonValue) -> str:
    if not isinstance(item, Mapping):
        return str(number)
    named = next((str(item[name]) for name in NAMED_BY if name in item), "")
    return named or " ".join(value for value in item.values() if isinstance(value, str)) or str(number)


def _text(value: JsonValue) -> str:
    """A value for people: ``none`` for null; whole numbers without ``.0``."""
    if value is None:
        return "none"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)

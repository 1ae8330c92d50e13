"""Columns of texts as arrays: as bytes of a fixed width where all texts fit, else as objects.

Must not know what the texts are. Neither kind of array has nulls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[Any]
"""Of dtype ``S<width>`` (ASCII without NUL, padded), or of objects, which are ``str``."""
Numbers = npt.NDArray[Any]
"""Whole numbers: positions, counts, ordinals."""

WIDEST = 128
"""Wider texts are kept as objects: one wide text would make all others of its column as wide."""


def texts_of(values: Sequence[str]) -> Texts:
    """``values`` as a column. Raises TypeError for a value that is no text."""
    if not set(map(type, values)) <= {str}:
        raise TypeError("a column of texts must have nothing but texts")
    if max(map(len, values), default=0) <= WIDEST and "\0" not in (joined := "".join(values)) and joined.isascii():
        return alike(np.array(values or [""], dtype=np.bytes_)[: len(values)])
    return _objects(values)


def texts_in(text: str, each: int) -> Texts:
    """A column of texts of ``each`` characters, which stand end to end in ``text``."""
    if each <= WIDEST and text.isascii() and "\0" not in text:
        return alike(np.frombuffer(text.encode("ascii"), dtype=f"S{each}"))
    return _objects([text[at : at + each] for at in range(0, len(text), each)])


def text_at(texts: Texts, at: int) -> str:
    """One text of a column."""
    found: str | bytes = texts[at]
    return found if isinstance(found, str) else found.decode("ascii")


def as_list(texts: Texts) -> list[str]:
    """A column as ``str``."""
    if texts.dtype.kind == "O":
        return list(texts.tolist())
    if texts.strides == (0,) and len(texts):
        return [text_at(texts, 0)] * len(texts)
    return list(texts.astype(np.str_).tolist())


def same(one: Texts, other: Texts) -> npt.NDArray[np.bool_]:
    """At which positions two columns of one length have the same text, whatever kinds of arrays they are."""
    if one.dtype.kind != other.dtype.kind:
        one, other = _as_objects(one), _as_objects(other)
    return np.asarray(one == other, dtype=bool)


def joined(columns: Sequence[Texts]) -> Texts:
    """The columns one after the other, as one column."""
    columns = [column for column in columns if len(column)] or list(columns[:1])
    if len({column.dtype.kind for column in columns}) > 1:
        columns = [_as_objects(column) for column in columns]
    return columns[0] if len(columns) == 1 else alike(np.concatenate(columns))


def taken(texts: Texts, at: Numbers) -> Texts:
    """The texts at these positions."""
    if len(texts) and texts.strides == (0,):
        return np.broadcast_to(texts[:1], len(at))
    return alike(texts[at])


def alike(texts: Texts) -> Texts:
    """The same column. It takes almost no memory if all its texts are equal."""
    if len(texts) > 1 and texts.strides != (0,) and texts[0] == texts[-1] and (texts == texts[0]).all():
        return np.broadcast_to(texts[:1].copy(), len(texts))
    return texts


def spread(starts: Numbers, counts: Numbers) -> Numbers:
    """For each start and count the positions ``start, start + 1, …``, one group after the other."""
    total = int(counts.sum())
    ends = np.cumsum(counts)
    found: Numbers = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)
    return found


def _objects(values: Sequence[str]) -> Texts:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return alike(column)


def _as_objects(texts: Texts) -> Texts:
    return texts if texts.dtype.kind == "O" else _objects(as_list(texts))

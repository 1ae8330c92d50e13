"""Parameters of which only some attributes can be read."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import ClassVar

import pytest

from orchestration.core.code.narrow import Narrowed, methods, narrowed, readable
from orchestration.core.errors import DeclarationError


@dataclass(frozen=True, order=True)
class Location:
    key: str
    latitude: float
    name: str = ""
    unit: ClassVar[str] = "°"

    @property
    def label(self) -> str:
        return f"{self.key}: {self.name}"

    def at(self) -> float:
        return self.latitude

    @staticmethod
    def origin() -> int:
        return 0


HANOI = Location("hanoi", 21.0, "Hà Nội")
USED = frozenset({"key", "label", "unit", "of_another_class"})


def test_used_attributes_are_read_and_no_others() -> None:
    view = narrowed(HANOI, USED)
    assert (view.key, view.label, view.unit) == ("hanoi", "hanoi: Hà Nội", "°")
    with pytest.raises(DeclarationError) as caught:
        _ = view.latitude
    assert caught.value.message == (
        "the attribute 'latitude' of a Location was read, which the code version does not count"
    )
    assert caught.value.remedy == "Write .latitude out in the asset's code, so that its code version counts it."
    with pytest.raises(DeclarationError):
        hasattr(view, "latitude")  # not a silent no
    with pytest.raises(DeclarationError):
        view.at()


def test_a_view_is_a_value() -> None:
    view = narrowed(HANOI, USED)
    assert view == narrowed(HANOI, USED)
    assert view == narrowed(Location("hanoi", 99.0, "Hà Nội"), USED)  # what is not used does not count
    assert view != narrowed(Location("hue", 21.0, "Huế"), USED)
    assert view != HANOI
    assert len({view, narrowed(HANOI, USED)}) == 1
    assert repr(view) == "Location(key='hanoi', label='hanoi: Hà Nội', unit='°')"
    with pytest.raises(AttributeError):
        view.key = "x"
    with pytest.raises(AttributeError):
        del view.key


def test_views_are_copied_and_sent_to_other_processes() -> None:
    view = narrowed(HANOI, USED)
    assert copy.copy(view) == copy.deepcopy(view) == pickle.loads(pickle.dumps(view)) == view  # noqa: S301


def test_views_have_no_order() -> None:
    """The class's own is by all fields."""
    views = narrowed((HANOI, Location("hue", 16.0)), USED)
    with pytest.raises(DeclarationError, match="were put in order"):
        sorted(views)
    assert [view.key for view in sorted(views, key=lambda view: view.key)] == ["hanoi", "hue"]


def test_tuples_and_what_is_no_dataclass() -> None:
    views = narrowed((HANOI, Location("hue", 16.0)), frozenset({"key"}))
    assert [type(view) for view in views] == [Narrowed, Narrowed]
    assert narrowed((HANOI,), None) == (HANOI,)
    assert narrowed(HANOI, None) is HANOI
    assert narrowed("cams_global", frozenset()) == "cams_global"
    assert narrowed((), frozenset({"key"})) == ()


def test_what_is_read_and_what_is_called() -> None:
    assert readable(Location) == ("key", "latitude", "name", "label", "unit")
    assert methods(Location) == {"at", "origin"}

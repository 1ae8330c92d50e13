"""Tags are words that the selection language can express; others are refused where the asset is declared."""

from __future__ import annotations

import pytest

from orchestration.core.declarations.asset import Asset, asset
from orchestration.core.errors import DeclarationError
from orchestration.core.selection.expressions import Label
from orchestration.core.selection.parser import parse


def declare(*tags: str) -> Asset:
    @asset(layer="bronze", contract="Hourly", source="feed", tags=tags)
    def hourly(feed: object) -> object:
        """Hours as they came."""
        return feed

    return hourly


@pytest.mark.parametrize("tag", ["hourly", "PII", "v1.2", "a_b-c", "2025", "and"])
def test_a_tag_that_can_be_selected(tag: str) -> None:
    assert declare("first", tag).tags == {"first", tag}
    expression = parse(f"tag:{tag}").expression
    assert isinstance(expression, Label)
    assert (expression.kind, expression.name) == ("tag", tag)


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "über", "team:air", "all*", "a+", "x\n"])
def test_a_tag_that_cannot_be_selected_is_refused(tag: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare("first", tag)
    assert caught.value.message == f"asset bronze.hourly: the tag {tag!r} cannot be selected"
    assert caught.value.remedy == "Write it with letters, digits, and . _ - only."

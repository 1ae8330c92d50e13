"""How a table differs from its contract, as tables of what is there, what is wanted and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.declarations.contract_changes import TableDifference, compare, grown, type_change, type_name

KEY = ("location", "hour")


def columns(text: str) -> tuple[Column, ...]:
    """``location:string hour:timestamp pm25:double?``; a question mark: may be null; a comment after ``=``."""
    found = []
    for word in text.split():
        name, _, rest = word.partition(":")
        kind, _, comment = rest.partition("=")
        found.append(Column(name, kind.rstrip("?"), kind.endswith("?"), "", comment or name))
    return tuple(found)


def contract(text: str, key: tuple[str, ...] = KEY, description: str = "Hours.") -> Contract:
    return Contract("Hourly", description, columns(text), key)


def fields(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = contract(text).delta_schema()["fields"]
    return found


ID = "location:string hour:timestamp"
GROWS = "One commit of metadata does it; no row is written."
MIGRATE = "Run `aqi migrate silver.hourly`, which shows its plan first, or change the contract back."
NEVER = "Change the contract back, or declare another asset for what it says now."


@pytest.mark.parametrize(
    ("there", "wanted", "recorded", "differs", "says"),
    [
        ("", "", "", {}, "as its contract says."),
        ("pm25:double? aqi:integer?", "aqi:integer? pm25:double?", "", {}, "as its contract says."),
        # What grows.
        (
            "",
            "ts_local:timestamp? o3:double?",
            "",
            {"added": columns("ts_local:timestamp? o3:double?")},
            f"its contract adds ts_local (timestamp) and o3 (double). {GROWS}",
        ),
        (
            "pm25:double",
            "pm25:double?",
            "pm25",
            {"loosened": ("pm25",)},
            f"pm25: table not null, contract nullable. {GROWS}",
        ),
        (
            "pm25:double?=Fine",
            "pm25:double?=Finer",
            "pm25",
            {"comments": ("pm25",)},
            f"its contract describes pm25 differently. {GROWS}",
        ),
        # What others added stays, and is named.
        (
            "note:string?",
            "",
            "",
            {"foreign": ("note",)},
            "others added note: kept, null in new rows.",
        ),
        (
            "note:string?",
            "aqi:integer?",
            "",
            {"foreign": ("note",), "added": columns("aqi:integer?")},
            f"its contract adds aqi (integer). others added note: kept, null in new rows. {GROWS}",
        ),
        (
            "note:string",
            "",
            "",
            {"foreign": ("note",), "foreign_required": ("note",)},
            "others added note, which must not be null. Let note be null: others added it.",
        ),
        # What takes a migration.
        (
            "pm25:double? aod:double?",
            "pm25:double?",
            "pm25 aod",
            {"removed": ("aod",)},
            f"its contract has no aod any more. {MIGRATE}",
        ),
        (
            "pm25:double?",
            "pm2_5:double? no:double?",
            "pm25",
            {
                "removed": ("pm25",),
                "renamed": (("pm25", "pm2_5"), ("pm25", "no")),
                "added": columns("pm2_5:double? no:double?"),
            },
            "its contract has no pm25 any more, which may now be called pm2_5 or no; adds pm2_5 (double) and no "
            f"(double). {MIGRATE}",
        ),
        (
            "pm25:double?",
            "names:array<string>?",
            "pm25",
            {"removed": ("pm25",), "added": columns("names:array<string>?")},
            f"its contract has no pm25 any more; adds names (array<string>). {MIGRATE}",
        ),
        (
            "aqi:integer?",
            "aqi:double?",
            "aqi",
            {"retyped": (("aqi", "integer", "double"),)},
            f"aqi: table integer, contract double. {MIGRATE}",
        ),
        (
            "aqi:integer?",
            "aqi:integer",
            "aqi",
            {"tightened": ("aqi",)},
            f"aqi: table nullable, contract not null. {MIGRATE}",
        ),
        # Only what differs is said: not what the columns mean, nor those that are as they were.
        (
            "pm25:double?=Fine aqi:integer?=Index dust:double?",
            "pm25:integer?=Finer aqi:integer=Index dust:double?",
            "pm25 aqi dust",
            {"retyped": (("pm25", "double", "integer"),), "tightened": ("aqi",), "comments": ("pm25",)},
            f"pm25: table double, contract integer; aqi: table nullable, contract not null. {MIGRATE}",
        ),
        (
            "",
            "aqi:integer o3:double?",
            "",
            {"added_required": ("aqi",), "added": columns("o3:double?")},
            f"its contract adds aqi, which must not be null; adds o3 (double). {MIGRATE}",
        ),
        # Delta takes names for the same that differ by upper and lower case only.
        (
            "Note:string?",
            "note:string?",
            "",
            {"renamed": (("Note", "note"),)},
            f"its contract has no Note any more, which may now be called note. {MIGRATE}",
        ),
    ],
)
def test_what_differs(there: str, wanted: str, recorded: str, differs: dict[str, Any], says: str) -> None:
    found = compare(
        "silver.hourly", contract(f"{ID} {wanted}"), fields(f"{ID} {there}"), "Hours.", frozenset(recorded.split())
    )
    assert found == TableDifference("silver.hourly", **differs)
    assert found.in_words() == f"silver.hourly: {says}"
    assert found.grows == says.endswith(GROWS)
    assert found.needs_migration == says.endswith(MIGRATE)
    assert found.blocks == (found.needs_migration or bool(found.foreign_required))


@pytest.mark.parametrize(("described", "differs"), [("Hours.", False), ("Hour.", True), (None, True), ("", True)])
def test_the_description_of_the_table_itself(described: str | None, differs: bool) -> None:
    found = compare("silver.hourly", contract(ID), fields(ID), described)
    assert found.comments == (("",) if differs else ())
    said = "its contract describes the table differently. " + GROWS if differs else "as its contract says."
    assert found.in_words() == f"silver.hourly: {said}"


@pytest.mark.parametrize(("before", "after"), [("integer", "string"), ("string", "double"), ("double", "timestamp")])
def test_what_no_migration_does_to_a_type_is_not_sent_to_one(before: str, after: str) -> None:
    """`aqi migrate` would refuse it: nobody is sent there."""
    found = compare("silver.hourly", contract(f"{ID} a:{after}"), fields(f"{ID} a:{before}"), "Hours.", frozenset("a"))
    assert found.in_words() == (
        f"silver.hourly: a: table {before}, contract {after}. No command makes {after} of {before}: change the "
        "contract back, or leave a in it and add a column of another name."
    )
    assert found.needs_migration and found.blocks


def test_a_unit_is_part_of_the_comment() -> None:
    with_unit = Contract("Hourly", "Hours.", (Column("aqi", "integer", True, "US AQI", "aqi"),), ())
    assert compare("silver.hourly", with_unit, fields("aqi:integer?"), "Hours.").comments == ("aqi",)


@pytest.mark.parametrize(
    ("wanted", "key", "was", "says"),
    [
        ("location:string pm25:double?", KEY, None, "has no hour, which its key names"),
        (
            f"{ID} model:string",
            (*KEY, "model"),
            KEY,
            "gives it the key location, hour and model in place of location and hour",
        ),
        (
            "location:string",
            ("location",),
            KEY,
            "gives it the key location in place of location and hour (it has no hour any more)",
        ),
        (f"{ID}?", KEY, KEY, "lets hour of its key be null"),
        (f"{ID} aqi:integer? AQI:integer?", KEY, KEY, "has aqi and AQI, which are the same name to Delta"),
    ],
)
def test_what_no_command_does(wanted: str, key: tuple[str, ...], was: tuple[str, ...] | None, says: str) -> None:
    found = compare("silver.hourly", contract(wanted, key), fields(ID), "Hours.", frozenset(KEY), was)
    assert f"its contract Hourly {says}" in found.refused
    assert found.in_words().startswith(f"silver.hourly: its contract Hourly {says}")
    assert found.in_words().endswith(NEVER)
    assert (found.blocks, found.grows, found.needs_migration) == (True, False, False)


def test_the_order_of_a_key_means_nothing() -> None:
    assert not compare("silver.hourly", contract(ID), fields(ID), "Hours.", frozenset(), ("hour", "location")).refused


# --- the schema that a table grows into ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wanted", "becomes"),
    [
        ("a:string b:double?", "b:double? c:date? a:string", "a:string b:double? c:date?"),
        ("a:string=old x:long?=theirs", "a:string=new", "a:string=new x:long?=theirs"),
        ("a:string b:double", "a:string b:double?", "a:string b:double?"),
    ],
)
def test_a_grown_schema(there: str, wanted: str, becomes: str) -> None:
    assert grown(fields(there), fields(wanted)) == fields(becomes)


def test_a_grown_schema_keeps_other_metadata() -> None:
    there = fields("a:string=old")
    there[0]["metadata"]["delta.invariants"] = "{}"
    assert grown(there, fields("a:string=new"))[0]["metadata"] == {"comment": "new", "delta.invariants": "{}"}
    assert there[0]["metadata"]["comment"] == "old"


@pytest.mark.parametrize(
    ("there", "wanted", "says"),
    [
        ("a:string", "a:string b:double", "a new column must be nullable (got b, which is not)"),
        ("a:string", "a:string A:double?", "the table has a column called A but for upper and lower case"),
        ("a:string", "a:date", "the type of a must stay string (got date)"),
        ("a:string?", "a:string", "a must stay nullable"),
    ],
)
def test_what_is_not_growth(there: str, wanted: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        grown(fields(there), fields(wanted))
    assert str(caught.value) == says


# --- types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "does"),
    [
        ("integer", "integer", "same"),
        ("integer", "long", "lossless"),
        ("integer", "double", "lossless"),
        ("float", "double", "lossless"),
        ("date", "timestamp", "lossless"),
        ("integer", "float", "checked"),
        ("long", "integer", "checked"),
        ("long", "double", "checked"),
        ("double", "integer", "checked"),
        ("double", "float", "checked"),
        ("timestamp", "date", "checked"),
        ("integer", "string", "refused"),
        ("string", "integer", "refused"),
        ("boolean", "integer", "refused"),
        ("date", "integer", "refused"),
        ("string", "array<string>", "refused"),
        ("timestamp", "timestamp_ntz", "refused"),
    ],
)
def test_what_a_change_of_type_does(before: str, after: str, does: str) -> None:
    assert type_change(before, after) == does


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("double", "double"),
        ({"type": "array", "elementType": "string", "containsNull": False}, "array<string>"),
        ({"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}, "map<string,long>"),
        ({"type": "struct", "fields": [{"name": "a", "type": "date"}]}, "struct<a:date>"),
    ],
)
def test_the_name_of_a_type(kind: Any, name: str) -> None:
    assert type_name(kind) == name


@pytest.mark.parametrize(
    ("there", "recorded", "theirs"),
    [
        ("NOTE:string?", "note", True),
        ("NOTE:string?", "NOTE", False),  # rows of ours had that name: the contract has another since
        ("NOTE:string? gone:double?", "note gone", False),
    ],
)
def test_a_name_in_other_letters_is_the_work_of_others_where_no_row_of_ours_had_it(
    there: str, recorded: str, theirs: bool
) -> None:
    found = compare(
        "silver.hourly", contract(f"{ID} note:string?"), fields(f"{ID} {there}"), "Hours.", frozenset(recorded.split())
    )
    assert found.by_others(followed=True) is theirs
    assert not found.by_others(followed=False)
    assert not theirs or found.of_others == "note is called NOTE"

"""Which column an engine did not find, from the engine's own words. Pure."""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"attribute ObjectName\(\[(?P<identifiers>.+?)\]\) is missing"  # the embedded engine
    r"|\[UNRESOLVED_COLUMN\] Cannot find column (?P<joined>[^\s,;]+)"
    r"|\[UNRESOLVED_COLUMN[\w.]*\] .*?with name (?P<quoted>`(?:``|[^`])+`(?:\.`(?:``|[^`])+`)*)"  # Spark
    r"|\[UNRESOLVED_USING_COLUMN_FOR_JOIN\] USING column (?P<using>`(?:``|[^`])+`)"
    r"|\[ATTRIBUTE_NOT_SUPPORTED\] Attribute (?P<attribute>`(?:``|[^`])+`)",
    re.DOTALL,
)
_IDENTIFIER = re.compile(r'Identifier\("((?:\\.|[^"\\])*)"\)')
_QUOTED = re.compile(r"`((?:``|[^`])+)`")


def unknown_column(message: str) -> str:
    """The name of the column that is not there, without that of its frame; empty if the message is about another thing.

    ===================================================================  ====
    attribute ObjectName([Identifier("t"), Identifier("no2")]) is miss…  no2
    [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column … with name `t`.`no2`…  no2
    [UNRESOLVED_COLUMN] Cannot find column no2                           no2
    ===================================================================  ====
    """
    found = _NAMED.search(message)
    if found is None:
        return ""
    if found["identifiers"]:
        identifiers: list[str] = _IDENTIFIER.findall(found["identifiers"])
        return identifiers[-1] if identifiers else ""
    if found["joined"]:
        return str(found["joined"])
    quoted: list[str] = _QUOTED.findall(found["quoted"] or found["using"] or found["attribute"])
    return quoted[-1].replace("``", "`")

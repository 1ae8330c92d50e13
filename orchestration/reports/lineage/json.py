"""Lineage as JSON for programs. docs/LINEAGE.md describes the format.

``FORMAT`` is increased when a name is removed or changes its meaning, not when a name is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.core.json_value import JsonValue
from orchestration.core.lineage.branches import hops_to_json, rows_downstream, rows_upstream
from orchestration.core.lineage.columns import Sources
from orchestration.core.lineage.walk import Lineages, Walk, ends
from orchestration.reports.json_text import to_json
from orchestration.reports.lineage.facts.assets import AssetFacts, asset_facts
from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, ColumnWalks, recorded_of

if TYPE_CHECKING:
    from orchestration.core.declarations.asset import Asset
    from orchestration.core.declarations.contract import Contract
    from orchestration.core.lineage.audit import AuditHop, Made
    from orchestration.core.state.partition_record import Answer, Question
    from orchestration.engine.lineage.recorded import RecordedColumns
    from orchestration.engine.workspace import Workspace
    from orchestration.reports.lineage.facts.partition import Audited

FORMAT = 1


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """``{"format", "assets", "edges"}`` of the assets ``keys``. An edge joins two of them, with its mapping.

    The ``code_part`` of an asset is the part of its code version that the lines of ``assets/same_rows.yml`` name.
    """
    catalog = workspace.catalog
    parts, facts, recorded = workspace.code_parts(keys), asset_facts(workspace, keys), recorded_of(workspace, keys)
    found: dict[str, JsonValue] = {
        "format": FORMAT,
        "assets": [
            _asset(catalog[key])
            | {"code_part": parts[key]}
            | _there(facts[key])
            | _columns(recorded, key, workspace.contracts[key])
            for key in keys
        ],
        "edges": [
            {"upstream": mapping.of, "downstream": key, "mapping": type(mapping).__name__}
            for key in keys
            for mapping in catalog[key].upstream
            if mapping.of in keys
        ],
    }
    return to_json(found) + "\n"


def columns(found: ColumnsOfAssets | ColumnWalks) -> str:
    """For assets ``{"format", "assets"}``, each with its columns; for one column ``{"format", "column", …}``."""
    if isinstance(found, ColumnsOfAssets):
        assets = [{"key": key} | _columns(found.recorded, key) for key in found.keys]
        return to_json({"format": FORMAT, "assets": assets}) + "\n"
    lineages, passed = found.recorded.lineages, found.passed
    values: dict[str, JsonValue] = {
        "format": FORMAT,
        "column": found.start._asdict(),
        "upstream": None if found.up is None else _upstream(found.up, lineages),
        "downstream": None if found.down is None else _walk(found.down, rows_downstream(lineages, found.down)),
        "not_recorded": [key for key in passed if key in found.recorded.lacking],
        "of_older_code": [key for key in passed if key in found.recorded.of_older_code],
    }
    return to_json(values) + "\n"


def partition(found: Audited) -> str:
    """``{"format", "asset", "partition", "hops"}``: every partition that was consulted, with its record."""
    audit = found.audit
    values: dict[str, JsonValue] = {
        "format": FORMAT,
        "asset": audit.asset,
        "partition": str(audit.partition),
        "hops": [_hop(found, hop) for hop in audit.hops],
        "notes": list(found.notes),
    }
    return to_json(values) + "\n"


# Assets ---------------------------------------------------------------------------------------------------------------


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "key": asset.key,
        "layer": asset.layer,
        "description": asset.description.splitlines()[0],
        "source": asset.source,
        "partitions": None if asset.partitions is None else asset.partitions.columns._asdict(),
        "contract": asset.contract,
        "tags": sorted(asset.tags),
        "parameters": list(asset.parameters),
    }


def _there(facts: AssetFacts) -> dict[str, Any]:
    last = facts.last
    return {
        "states": {str(state): count for state, count in sorted(facts.states.items()) if count},
        "marks": dict(sorted(facts.marks.items())),
        "rows": facts.rows,
        "version": facts.version,
        "last_run": None if last is None else {"run_id": last.run_id, "at": last.at, "version": last.version},
    }


# Columns --------------------------------------------------------------------------------------------------------------


def _columns(recorded: RecordedColumns, key: str, contract: Contract | None = None) -> dict[str, Any]:
    """The columns of an asset with their sources. contract: describes the columns; None: only lineage is wanted."""
    lineage = recorded.lineages.get(key)
    said = {} if contract is None else {column.name: column for column in contract.columns}
    names = said if lineage is None else dict.fromkeys([*said, *lineage.columns])
    described: list[dict[str, Any]] = []
    for name in names:
        one: dict[str, Any] = {"name": name}
        if name in said:
            one |= {
                "type": said[name].type,
                "nullable": said[name].nullable,
                "unit": said[name].unit,
                "description": said[name].description,
            }
        known = None if lineage is None else lineage.columns.get(name)
        described.append(one | ({"from": None, "unknown": []} if known is None else _sources(known)))
    how = "no" if lineage is None else "older code" if key in recorded.of_older_code else "yes"
    return {
        "columns_recorded": how,
        "columns": described,
        "rows_from": None if lineage is None else _sources(lineage.rows),
    }


def _sources(sources: Sources) -> dict[str, Any]:
    return {"from": [_edge(*edge) for edge in sorted(sources.edges)], "unknown": sorted(sources.unknown)}


def _edge(of: str, column: str, kind: Any) -> dict[str, str]:
    return {"of": of, "column": column, "type": kind.type, "kind": str(kind)}


def _upstream(walk: Walk, lineages: Lineages) -> dict[str, Any]:
    return _walk(walk, rows_upstream(lineages, walk)) | {"ends": [_edge(*edge) for edge in sorted(ends(walk))]}


def _walk(walk: Walk, rows: Mapping[str, Sources]) -> dict[str, Any]:
    return {
        "hops": hops_to_json(walk.hops),
        "unknown": [field._asdict() | {"plan": sorted(of)} for field, of in sorted(walk.unknown.items())],
        "rows": [{"asset": key} | _sources(sources) for key, sources in rows.items()],
    }


# A partition ----------------------------------------------------------------------------------------------------------


def _hop(found: Audited, hop: AuditHop) -> dict[str, Any]:
    return {
        "asset": hop.asset.key,
        "partitions": [_made(found, hop, made) for made in hop.made],
        "not_recorded": hop.absent.keys(),
    }


def _made(found: Audited, hop: AuditHop, made: Made) -> dict[str, Any]:
    record, judged = made.record, made.judgement
    accepted = found.acceptances.get((hop.asset.key, record.code))
    values: dict[str, Any] = {
        "partition": str(made.partition),
        "state": str(judged.state),
        "reason": judged.reason,
        "marks": list(judged.marks),
        "rows": record.rows,
        "fingerprint": record.fingerprint,
        "code": record.code,
        "code_is_todays": made.code_counts,
        "accepted": None if accepted is None else {"run_id": accepted.run_id, "at": accepted.at},
        "contract": record.contract,
        "run_id": record.run_id,
        "at": record.at,
        "version": record.version,
        "checks": dict(record.checks),
        "reads": [
            {
                "asset": of,
                "partition": str(one.partition),
                "fingerprint": one.recorded,
                "now": one.now,
                "still_that": one.holds,
            }
            for of, consulted in made.reads.items()
            for one in consulted
        ],
    }
    if hop.asset.source is None:
        return values
    return values | {
        "source": hop.asset.source,
        "as_of": record.as_of or None,
        "question": _question(found, made.question),
        "answers": [_answer(found, hop, made, answer) for answer in made.answers],
        "turned_away": [
            {"asked": one.asked, "digest": one.digest, "hours": _hours(one.hours), "variables": list(one.variables)}
            for one in made.turned_away
        ],
    }


def _answer(found: Audited, hop: AuditHop, made: Made, answer: Answer) -> dict[str, Any]:
    kept = found.kept_as(hop.asset.key, made.partition, answer)
    return {
        "asked": answer.asked or None,
        "digest": answer.digest,
        "forced": answer.forced,
        "hours": None if answer.hours is None else _hours(answer.hours),
        "question": _question(found, hop.question_of(made, answer)),
        "kept": {"path": kept.path, "sha256": kept.digest, "run_id": kept.run_id} if kept.path else None,
    }


def _question(found: Audited, question: Question | None) -> dict[str, Any] | None:
    if question is None:
        return None
    return {
        "id": question.id,
        "source": question.source,
        "domain": found.domain_of(question),
        "variables": list(question.variables),
        "latitude": question.latitude,
        "longitude": question.longitude,
    }


def _hours(mask: int) -> list[int]:
    return [hour for hour in range(mask.bit_length()) if mask >> hour & 1]

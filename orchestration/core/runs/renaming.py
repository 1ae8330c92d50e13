"""What a record becomes when a location gets another key: the same facts, said of the rows as they are now. Pure.

A table is renamed after those upstream of it, so its records are told of fingerprints that these have by now. What they
had before the rename began is needed beside that, also where a rename that was broken off is gone on with: only what
was right then is right under the new key; what was stale, stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.decisions import PartitionFacts
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.core.state.versions import Equal


@dataclass(frozen=True, slots=True)
class Renaming:
    """before: states of all tables before the rename began; now: as they are, those of renamed tables included."""

    old: str
    new: str
    before: Mapping[str, TableState]
    now: Mapping[str, TableState]

    def key(self, key: PartitionKey) -> PartitionKey:
        """The key that a partition has after the rename."""
        return PartitionKey(key.day, self.new) if key.location == self.old else key

    def record(self, record: PartitionRecord, fact: PartitionFacts, *, code: str, question: str) -> PartitionRecord:
        """A record under its new key. fact: of the renamed rows; code: the version as it is under the new key."""
        inputs = {
            of: {str(self.key(one)): self._consulted(of, one, print_) for one, print_ in _parsed(consulted)}
            for of, consulted in record.inputs.items()
        }
        return replace(
            record,
            fingerprint=fact.also.get(record.contract, fact.fingerprint),
            also={digest: fact.also.get(digest, print_) for digest, print_ in record.also.items()},
            inputs=inputs,
            question=question,
            code=code,
        )

    def equal(self, state: TableState, code: Callable[[str], str]) -> tuple[Equal, ...]:
        """What was accepted at the old key, as it holds at the new one."""
        return tuple(
            Equal(one.asset, self.new, code(one.one), code(one.other))
            for one in sorted(state.equal, key=repr)
            if one.location == self.old
        )

    def _consulted(self, of: str, key: PartitionKey, fingerprint: str) -> str:
        """What a record says of an upstream partition, now that this has another key; what was stale, stays so."""
        if of not in self.before or key.location != self.old:
            return fingerprint
        before = self.before[of].records.get(key)
        now = self.now[of].records.get(self.key(key))
        if before is None or now is None:
            return fingerprint
        print_, _, without = fingerprint.partition(" without ")
        if print_ == before.fingerprint:
            renamed = now.fingerprint
        else:
            digest = next((digest for digest, other in before.also.items() if other == print_), None)
            renamed = print_ if digest is None else now.also.get(digest, print_)
        return f"{renamed} without {without}" if without else renamed


def _parsed(consulted: Mapping[str, str]) -> list[tuple[PartitionKey, str]]:
    return [(PartitionKey.parse(text), fingerprint) for text, fingerprint in consulted.items()]

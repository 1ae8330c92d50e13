"""What the records of a table become when a location gets another key: the same facts, under the new key. Pure.

Tables are renamed after those upstream of them. So the records of a renamed table have to name the present fingerprints
of its upstream tables. To know which of the earlier fingerprints were right, the states from before the rename are
needed too, also by a rename that goes on after it was broken off. A partition that was fresh under the old key is fresh
under the new one; one that was stale stays stale.
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
    """A rename that is under way."""

    old: str
    """The old key of the location."""
    new: str
    """The new key of the location."""
    before: Mapping[str, TableState]
    """The states of all tables before the rename began."""
    now: Mapping[str, TableState]
    """The states of all tables now; some are renamed already."""

    def key(self, key: PartitionKey) -> PartitionKey:
        """The key that a partition has after the rename."""
        return PartitionKey(key.day, self.new) if key.location == self.old else key

    def record(self, record: PartitionRecord, fact: PartitionFacts, *, code: str, question: str) -> PartitionRecord:
        """The record under its new key. fact: of the renamed rows. code: the code version under the new key. question:
        id of the question under the new key."""
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
        """The code versions that were accepted as equal at the old key, as versions of the new key."""
        return tuple(
            Equal(one.asset, self.new, code(one.one), code(one.other))
            for one in sorted(state.equal, key=repr)
            if one.location == self.old
        )

    def _consulted(self, of: str, key: PartitionKey, fingerprint: str) -> str:
        """The fingerprint of an upstream partition that the record names under the new key. What was stale stays
        stale.
        """
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

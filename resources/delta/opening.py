"""Opens tables with deltalake. All opening is done here, because HDFS needs special care.

deltalake reads many commits at once, and hdfs-native sends the NameNode one request at a time. If the first file
is read while others wait for their turn, they can wait for each other for ever (one opening in four, with a log of 120
commits). It does not happen with a client that has read a file before. So a table on HDFS is first opened at a version
for which one file is enough, and goes on from there. ``patience`` limits the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resources.storage.atomic_files import names_in
from resources.storage.files import open_files
from resources.storage.patience import answered

if TYPE_CHECKING:
    from deltalake import DeltaTable

_WHOLE = re.compile(r"([0-9]{20})\.checkpoint\.parquet|0{20}\.json")


def open_table(uri: str, version: int | None = None) -> DeltaTable:
    """The deltalake table at ``uri``, at a version (None: the newest). Raises as deltalake, and NoAnswer."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    if not uri.startswith("hdfs://"):
        return DeltaTable(uri, version=version)
    first = _one_file(uri, version)
    if first is None:
        return answered(uri, uri, lambda: DeltaTable(uri, version=version))

    def open_in_steps() -> DeltaTable:
        try:
            table = DeltaTable(uri, version=first)
            if version is None:
                table.update_incremental()
            elif version != first:
                table.load_as_version(version)
        except DeltaError:  # as it would be told without the first step
            return DeltaTable(uri, version=version)
        return table

    return answered(uri, uri, open_in_steps)


def _one_file(uri: str, version: int | None) -> int | None:
    """The newest version up to ``version`` for which a single file of the log is enough; None without one."""
    files, root = open_files(uri)
    found = (_WHOLE.fullmatch(name) for name in names_in(files, f"{root}/_delta_log"))
    there = [int(name[1] or 0) for name in found if name]
    return max((one for one in there if version is None or one <= version), default=None)

"""The oracle: every table of DATA_MODEL, made again in plain Python from bronze rows.

It exists so that tests can compare what Spark wrote with what the specification says. It is written from
DATA_MODEL alone and must not know the project's code: nothing of the project is imported here. It prefers
loops over hours that are plainly right to anything fast.

A row is a dict keyed by column, a table is a list of rows, sorted by its key. Timestamps are aware datetimes
in UTC, dates are dates, INT columns hold int or None, DOUBLE columns float or None (a float may be NaN or
infinite). `_ingested_at` is left out everywhere: it depends on the run.
"""

from tests.support.oracle.bronze_and_silver import *  # noqa: F403
from tests.support.oracle.comparing import *  # noqa: F403
from tests.support.oracle.dimensions import *  # noqa: F403
from tests.support.oracle.facts import *  # noqa: F403
from tests.support.oracle.identifiers import *  # noqa: F403
from tests.support.oracle.names import *  # noqa: F403

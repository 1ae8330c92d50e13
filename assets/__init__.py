"""What the tables are: every asset of the lakehouse, and the catalog of them all.

To add a table, write a function with ``@asset`` in one of these modules and a contract in ``contracts.py``:
``aqi new asset`` begins both, docs/ADDING.md goes on.
"""

from assets import bronze, dimensions, facts, silver
from assets.parameters import Parameters
from orchestration.core.declarations.catalog import Catalog

CATALOG = Catalog.from_modules(bronze, silver, dimensions, facts, parameters=Parameters)
"""All assets, checked against each other. Building it fails on a wrong declaration, naming asset and remedy."""

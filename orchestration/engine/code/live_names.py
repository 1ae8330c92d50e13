"""The meaning of names in a piece of code: looked up as Python does it, in the closure, the module, and the
builtins.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import ModuleType
from typing import Any, Protocol
from uuid import UUID

from orchestration.core.code.scopes import Imported
from orchestration.core.code.visible import Seen
from orchestration.core.declarations.asset import Asset

LITERALS = (bool, int, float, complex, str, bytes, type(None), type(...), type(NotImplemented))
LASTING = (UUID, date, datetime, time, timedelta, timezone, Decimal)
_MISSING = object()


class Values(Protocol):
    """Writes values as text."""

    seen: Seen

    def is_ours(self, module: object) -> bool: ...

    def public(self, value: Any) -> str: ...

    def value(self, value: Any) -> str: ...

    def is_lasting(self, value: Any) -> bool: ...

    def binding(self, scope: Mapping[str, Any], name: str) -> str: ...


class Names:
    """The names of a piece of code."""

    def __init__(self, values: Values, scope: Mapping[str, Any], closure: Mapping[str, Any]) -> None:
        self._values, self._scope, self.closure = values, scope, closure

    def load(self, module: str) -> None:
        self.module(module)

    def module(self, name: str) -> ModuleType | None:
        """A module of the project, by its name in an import; None for any other module, which is not imported for
        this.
        """
        try:
            full = importlib.util.resolve_name(name, str(self._scope.get("__package__") or ""))
            return importlib.import_module(full) if self._values.is_ours(full) else None
        except ImportError:
            return None

    def reach(self, base: str | Imported, attributes: Sequence[str], stored: bool) -> tuple[str, int]:
        scope, name, value = self._find(base)
        if value is _MISSING:
            if isinstance(base, Imported):
                path = ".".join(part for part in (base.module, base.name) if part)
                return ".".join([f"@{path}", *attributes]), len(attributes)
            return f"?{name}", 0
        used = 0
        while used < len(attributes) and isinstance(value, ModuleType):
            attribute = attributes[used]
            if not self._values.is_ours(value.__name__):
                return self._external(value, attributes, used)
            if stored and used == len(attributes) - 1:
                self._values.seen.exact = True
                break
            if attribute not in vars(value):
                break
            scope, name, value, used = vars(value), attribute, vars(value)[attribute], used + 1
        if isinstance(value, Asset) and attributes[used : used + 1] == ["function"]:
            value, used = value.function, used + 1
        text = self._values.value(value)
        if text.startswith("@"):
            return ".".join([text, *attributes[used:]]), len(attributes)
        if scope is not None and not self._values.is_lasting(value):
            text += f"&{self._values.binding(scope, name)}"
        return text, used

    def _find(self, base: str | Imported) -> tuple[Mapping[str, Any] | None, str, Any]:
        """The names of the module in which ``base`` was found, its name there, and its value."""
        if isinstance(base, Imported):
            module = self.module(base.module)
            if module is None:
                return None, "", _MISSING
            if not base.name:
                return None, "", module
            if base.name not in vars(module) and hasattr(module, "__path__"):
                self.module(f"{module.__name__}.{base.name}")
            return vars(module), base.name, vars(module).get(base.name, _MISSING)
        if base in self.closure:
            return None, base, self.closure[base]
        if base in self._scope:
            return self._scope, base, self._scope[base]
        return None, base, getattr(builtins, base, _MISSING)

    def _external(self, module: ModuleType, attributes: Sequence[str], used: int) -> tuple[str, int]:
        """A name in a module of another package: the public name of its value, or the value itself for a plain
        constant."""
        found: Any = module
        while used < len(attributes) and isinstance(found, ModuleType):
            module, found = found, getattr(found, attributes[used], _MISSING)
            used += 1
            if found is _MISSING:
                break
        if type(found) in (*LITERALS, *LASTING):
            return self._values.value(found), used
        name = "" if found is _MISSING else self._values.public(found)
        text = f"@{name}" if name else f"@{module.__name__}.{attributes[used - 1]}"
        if isinstance(found, ModuleType):
            text = f"@{found.__name__}"
        return ".".join([text, *attributes[used:]]), len(attributes)


def public_name(value: Any) -> str:
    """The shortest dotted name under which ``value`` is found in the packages around the module that defines it.

    ``pyspark.sql.functions.max`` for what lies in ``pyspark.sql.functions.builtin``; empty where it is found nowhere.
    """
    if not callable(value):
        return ""
    owner = getattr(value, "__objclass__", None)
    module = str(getattr(owner or value, "__module__", None) or "")
    name = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
    if not name or "<" in name:
        return ""
    parts = module.split(".")
    shorter = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    for candidate in ([module.lstrip("_")] if module.startswith("_") else []) + shorter:
        scope = sys.modules.get(candidate)
        if scope is None or ("__getattr__" in vars(scope) and candidate != module):
            continue  # what a module makes when it is asked is not always there
        found: Any = vars(scope).get(name.partition(".")[0], _MISSING)
        for part in name.split(".")[1:]:
            found = getattr(found, part, _MISSING)
        if found is value or getattr(found, "__func__", None) is value:
            return f"{candidate}.{name}"
    return ""

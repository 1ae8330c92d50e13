"""Functions on which the engines do not agree are refused at import, however a declaration reaches them."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pyspark.sql.functions as X
import pytest
from pyspark.sql import functions as F
from pyspark.sql.functions import dayofweek, weekday
from pyspark.sql.functions import weekday as renamed

import assets
from orchestration.core.declarations.asset import Asset, asset
from orchestration.core.declarations.called_functions import PASSED_ON, SQL_TEXT
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.checks import Check
from orchestration.core.declarations.engine_functions import DIFFERENCES, Difference, Differences, check_functions
from orchestration.core.errors import DeclarationError

SUNDAY = Difference("differs", "a Sunday is -1", "(dayofweek(day) + 5) % 7")
TEXT = Difference("untried", "text cannot be read", "it with functions")
PLANTED: Differences = {
    "weekday": SUNDAY,
    ".rlike": Difference("differs", "other patterns"),
    **dict.fromkeys((PASSED_ON, SQL_TEXT, "expr", ".selectExpr", ".sql"), TEXT),
}
HERE = sys.modules[__name__]


def declared(function: Callable[..., Any], **more: Any) -> Asset:
    made = asset(layer="gold", contract="Any", **more)
    function.__doc__ = function.__doc__ or "Planted."
    function.__name__ = "planted"
    return made(function)


def refusal(function: Callable[..., Any], differences: Differences = PLANTED, **more: Any) -> str:
    """What a catalog with this one asset says; empty where it takes it."""
    module = ModuleType(HERE.__name__)
    vars(module)["planted"] = declared(function, **more)
    try:
        Catalog.from_modules(module, differences=differences)
    except DeclarationError as error:
        return str(error)
    return ""


# --- ways to use one -----------------------------------------------------------------------------

alias = F.weekday
module_alias = F
partially = partial(F.weekday)
WAYS: dict[str, Any] = {"weekday": F.weekday, "other": [F.dayofweek]}
remembered = cache(lambda day: F.weekday(day))


def by_attribute() -> Any:
    return F.weekday("day")


def by_name() -> Any:
    return weekday("day")


def by_another_name() -> Any:
    return renamed("day")


def by_module() -> Any:
    return X.weekday("day")


def by_alias() -> Any:
    return alias("day")


def by_module_alias() -> Any:
    return module_alias.weekday("day")


def by_partial() -> Any:
    return partially("day")


def by_container() -> Any:
    return WAYS["weekday"]("day")


def by_cache() -> Any:
    return remembered("day")


def by_local_import() -> Any:
    from pyspark.sql.functions import weekday as local

    return local("day")


def by_local_module() -> Any:
    from pyspark.sql import functions as local

    return local.weekday("day")


def by_local_module_as() -> Any:
    import pyspark.sql.functions as local

    return local.weekday("day")


def by_local_module_whole() -> Any:
    import pyspark.sql.functions

    return pyspark.sql.functions.weekday("day")


def by_local_alias() -> Any:
    local = F
    return local.weekday("day")


def by_lambda() -> Any:
    return (lambda day: F.weekday(day))("day")


def by_comprehension() -> Any:
    return [F.weekday(day) for day in ("day", "other")]


def by_nested_function() -> Any:
    def inner(day: str) -> Any:
        def innermost() -> Any:
            return F.weekday(day)

        return innermost()

    return inner("day")


def _helper(day: str) -> Any:
    return _helper_of_helper(day)


def _helper_of_helper(day: str) -> Any:
    return [F.weekday(one) for one in (day,)]


def by_helper() -> Any:
    return _helper("day")


def by_helper_passed_on() -> Any:
    return list(map(_helper, ("day",)))


def by_helper_imported() -> Any:
    from tests.core.declarations.test_engine_functions import _helper as local

    return local("day")


class Helper:
    def day(self) -> Any:
        return self.of("day")

    @staticmethod
    def of(day: str) -> Any:
        return F.weekday(day)


HELPER = Helper()


def by_class() -> Any:
    return Helper().day()


def by_instance() -> Any:
    return HELPER.day()


def by_closure() -> Callable[..., Any]:
    function = F.weekday

    def planted() -> Any:
        return function("day")

    return planted


@pytest.mark.parametrize(
    "way",
    [
        *(by_attribute, by_name, by_another_name, by_module, by_alias, by_module_alias, by_partial, by_container),
        *(by_cache, by_local_import, by_local_module, by_local_module_as, by_local_module_whole, by_local_alias),
        *(by_lambda, by_comprehension, by_nested_function, by_helper, by_helper_passed_on, by_helper_imported),
        *(by_class, by_instance),
        by_closure(),
    ],
    ids=lambda way: way.__qualname__.replace(".", "_"),
)
def test_a_weekday_is_refused_however_it_is_reached(way: Callable[..., Any]) -> None:
    said = refusal(way)
    assert "weekday" in said and "a Sunday is -1" in said and "Write (dayofweek(day) + 5) % 7" in said


def test_a_function_that_is_an_argument_by_default() -> None:
    def planted(*, function: Any = F.weekday) -> Any:
        return function("day")

    assert "asset gold.planted uses weekday; " in refusal(planted)


def test_the_message_names_asset_function_file_line_reason_and_what_to_write() -> None:
    line = inspect.getsourcelines(_helper_of_helper)[1] + 1
    said = refusal(by_helper)
    assert said.startswith("asset gold.planted uses weekday in _helper_of_helper")
    assert f"(declarations/test_engine_functions.py, line {line})" in said
    assert said.endswith(
        "; the embedded engine and Spark answer otherwise: a Sunday is -1\n"
        '  Write (dayofweek(day) + 5) % 7, or declare the asset with engine="spark".'
    )


def test_code_with_many_names_is_read_as_any_other() -> None:
    """Beyond 127 names an instruction takes two."""
    names = ", ".join(f"name_{number}" for number in range(300))
    code = compile(f"def planted():\n    return {names}, F.PLANTED('day')", "many", "exec")
    inner = next(one for one in code.co_consts if isinstance(one, CodeType))

    def with_function(name: str) -> Callable[..., Any]:
        replaced = tuple(name if one == "PLANTED" else one for one in inner.co_names)
        return FunctionType(inner.replace(co_names=replaced), globals())

    assert refusal(with_function("month")) == ""
    assert "planted uses weekday in planted" in refusal(with_function("weekday"))


def test_checks_and_identifiers_are_looked_through() -> None:
    def planted() -> Any:
        return None

    def count(parameters: Any) -> Any:
        return F.count_if(F.weekday("day") > 5)

    check = Check("on_weekdays", True, count)
    assert "asset gold.planted: check on_weekdays uses weekday" in refusal(planted, checks=[check])
    assert "asset gold.planted: identifier id uses weekday" in refusal(planted, identifiers={"id": by_helper})


def test_methods_are_refused_on_whatever_they_are_found() -> None:
    def planted() -> Any:
        return F.col("text").rlike("a")

    assert "asset gold.planted uses .rlike in " in refusal(planted)


def test_sql_as_text_is_refused() -> None:
    def selected(*, frame: Any) -> Any:
        return frame.selectExpr("weekday(day)")

    def filtered(*, frame: Any) -> Any:
        return frame.where("weekday(day) > 5")

    def formatted(*, frame: Any, day: Any) -> Any:
        return frame.filter(f"weekday({day}) > 5")

    def asked(*, session: Any) -> Any:
        return session.sql("SELECT 1")

    def expressed() -> Any:
        return F.expr("weekday(day)")

    assert all(refusal(one) for one in (selected, filtered, formatted, asked, expressed))


def test_the_module_of_functions_is_not_passed_on() -> None:
    """What others would do with it cannot be seen."""

    def given() -> Any:
        return getattr(F, "week" + "day")("day")

    def held() -> Any:
        return [one.weekday("day") for one in (F,)]

    def defaulted(*, functions: Any = F) -> Any:
        return functions.weekday("day")

    assert all(PASSED_ON in refusal(one) for one in (given, held, defaulted))


def test_harmless_code_is_taken() -> None:
    """A date's own weekday, another function, a text, a variable and a parameter of that name."""

    def planted(*, day: dt.date, weekday: int) -> Any:
        """A weekday."""
        local = day.weekday() + dt.date(2025, 8, 10).weekday() + weekday
        text = "F.weekday"
        return F.filter("days", lambda one: one > F.lit(local)).alias(text), dayofweek("day"), day.weekday

    def filtered(*, frame: Any) -> Any:
        return frame.where(F.col("weekday") > 5).filter(F.filter("words", lambda one: one.isNotNull()))

    assert refusal(planted) == "" and refusal(filtered) == ""


def test_code_of_others_is_not_followed() -> None:
    def planted() -> Any:
        return dt.datetime.max, pytest.approx(1), Catalog

    assert refusal(planted) == ""


def test_cycles_end() -> None:
    def planted() -> Any:
        return planted, test_cycles_end, HERE

    assert refusal(planted) == ""


# --- the catalog of this project -----------------------------------------------------------------


def test_with_an_empty_list_everything_is_taken() -> None:
    assert refusal(by_helper, differences={}) == ""


def test_by_default_the_list_counts() -> None:
    module = ModuleType(HERE.__name__)
    vars(module)["planted"] = declared(by_attribute)
    with pytest.raises(DeclarationError, match="weekday"):
        Catalog.from_modules(module)


def test_the_check_of_all_assets_takes_milliseconds() -> None:
    """The best of five: 5 ms where nothing else runs."""
    times = []
    for _ in range(5):
        start = time.process_time()
        check_functions(assets.CATALOG, {"assets"}, DIFFERENCES)
        times.append(time.process_time() - start)
    assert min(times) < 0.02


def test_an_edge_is_not_refused() -> None:
    edge = {"weekday": Difference("edge", "in the year 0"), ".rlike": Difference("edge", "no text")}

    def planted() -> Any:
        return F.col("text").rlike("a"), F.weekday("day")

    assert refusal(planted, differences=edge) == ""


def test_what_is_written_instead_is_not_refused_itself() -> None:
    refused = {name.lstrip(".") for name, one in DIFFERENCES.items() if one.kind != "edge"}
    called = {name: set(re.findall(r"(\w+)\(", one.instead)) for name, one in DIFFERENCES.items()}
    assert {name: names & refused for name, names in called.items() if names & refused} == {}


def test_every_difference_has_a_reason() -> None:
    assert all(one.reason and len(one.reason) < 100 for one in DIFFERENCES.values())
    assert DIFFERENCES["weekday"].instead == "(dayofweek(day) + 5) % 7"

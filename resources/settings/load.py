"""Settings: the YAML of a profile, overridden by the environment, overridden by flags. All of them are validated before
anything starts.

The variable ``AQI_<SECTION>__<KEY>`` overrides a key of a section, for instance ``AQI_WAREHOUSE__URI``. OpenLineage's
standard variables override keys of the section ``openlineage``. For an unknown key the error names where it stands and
the nearest known key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from orchestration.core.calendar import day_of
from orchestration.core.errors import ConfigurationError
from orchestration.core.partitions.location import LOCATION_KEY, Location
from resources.machine.clock import Clock, fixed_clock, system_clock
from resources.machine.secrets import never_tell, secrets_of
from resources.openlineage.settings import OpenLineageSettings
from resources.settings.history import HistorySettings
from resources.settings.layers import values_of
from resources.settings.memory import MEMORY, bytes_of, check_memory
from resources.settings.operations import (
    AlertSettings,
    DeploymentSettings,
    DeploySettings,
    FeedSettings,
    HourlySettings,
    MaintenanceSettings,
    RawSettings,
    ReportSettings,
    SourcesSettings,
)
from resources.settings.refusals import Refused, as_configuration_error, check_no_secrets
from resources.settings.secret import SparkConf, is_secret_conf, secrets_said
from resources.settings.section import LONGEST_DAYS, LONGEST_TIMEOUT, Section, a_time_zone
from resources.settings.seen_by_all import where_seen
from resources.settings.spark_values import first_wrong
from resources.settings.warehouse_uri import a_readable_uri, a_warehouse

FIRST_YEAR, LAST_YEAR = 1900, 9000
"""Of the clock: far enough from the first and the last day that there are, so that windows of days may be taken."""
PATTERNS, UNREADABLE = "*?{}", "[]%^|\\"
"""Characters that the path of a warehouse's folder must not have. ``PATTERNS``: Sail, the embedded engine, reads them
as patterns of file names. ``UNREADABLE``: deltalake, which both engines use, reads them as patterns or escapes, or
refuses the path."""


def _a_location_key(key: str) -> str:
    if not LOCATION_KEY.fullmatch(key):
        raise ValueError("must be lower-case letters, digits, _ and -, starting with a letter or digit")
    return key


def _a_timeout(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"must be above 0 and at most {LONGEST_TIMEOUT} (seven days)")
    return seconds


class WarehouseSettings(Section):
    """Where the tables lie, and how runs share them."""

    uri: Annotated[str, AfterValidator(a_warehouse)] | None = "warehouse"
    """A folder or a URI; None: a folder of this user on the cluster's file system."""
    lock_wait_seconds: float = Field(300, ge=0, le=LONGEST_DAYS * 86_400)
    """A run waits at most this long for another run that holds the warehouse's lock."""
    mixed_sources: bool = False
    """Whether one table may hold both made-up rows of a simulator and real ones."""


EngineName = Literal["embedded", "spark"]
_SETTINGS_OF = {
    "spark.master": "spark.master",
    "spark.driver.memory": "spark.driver_memory",
    "spark.executor.memory": "yarn.executor_memory",
    "spark.executor.memoryOverhead": "yarn.executor_memory_overhead",
}
"""Spark's name of a setting → the key of our settings that sets it. These names are refused in ``spark.conf``."""


class SparkSettings(Section):
    """How a session of Spark is made."""

    master: str = "local[2]"
    """The master as Spark names it: ``local[2]``, ``yarn``, …"""
    driver_memory: str = Field("1g", pattern=MEMORY)
    """The heap of the driver's JVM, for instance ``1g``."""
    max_parallel_steps: int = Field(4, ge=1)
    """At most this many steps run at once, on either engine."""
    conf: SparkConf = Field(default_factory=dict)
    """Further settings of Spark, by Spark's names."""

    @model_validator(mode="after")
    def _nothing_secret_for_all_to_see(self) -> Self:
        """Raises ValueError for a secret value that other users could read, see ``seen_by_all``."""
        on_yarn = self.master.startswith("yarn")
        for name, value in sorted(self.conf.items()):
            if is_secret_conf(name, value) and (where := where_seen(name, on_yarn=on_yarn)):
                raise ValueError(f"conf: {name} must have nothing secret in it: {where}")
        return self

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        check_memory("driver_memory", self.driver_memory)
        return self

    @model_validator(mode="after")
    def _same_values(self) -> Self:
        """Raises ValueError for a setting in ``conf`` that belongs to another key, or would change the rows made."""
        for name in sorted(self.conf.keys() & _SETTINGS_OF.keys()):
            raise ValueError(
                f"conf: {name} must not stand there: {_SETTINGS_OF[name]} says it, and what follows from it"
            )
        if wrong := first_wrong(self.conf.items()):
            raise ValueError(f"conf: {wrong}")
        return self


class EmbeddedSettings(Section):
    """The embedded engine."""

    memory: str = Field("1g", pattern=MEMORY)
    """The resident memory that its process may use, for instance ``1g``."""
    timeout_seconds: Annotated[float, AfterValidator(_a_timeout)] = 3600
    """Computing the rows of one step may take at most this long."""

    @property
    def memory_bytes(self) -> int:
        """``memory`` in bytes."""
        return bytes_of(self.memory)

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        check_memory("memory", self.memory)
        return self


class YarnSettings(Section):
    """How a session on YARN is made."""

    check: bool = False
    """Whether a run is refused where ``spark.master`` is not ``yarn``."""
    queue: str = "default"
    queue_wait_seconds: float = Field(600, gt=0, le=LONGEST_DAYS * 86_400)
    """A run waits in the queue at most this long for its application master, and then this long for an executor."""
    executors: int = Field(2, ge=1)
    executor_cores: int = Field(2, ge=1)
    executor_memory: str = Field("2g", pattern=MEMORY)
    """The heap of an executor, for instance ``2g``."""
    executor_memory_overhead: str = Field("512m", pattern=MEMORY)
    """The memory that the container of an executor has besides the heap."""
    dynamic_allocation: bool = False
    """Whether Spark asks for more executors when it has work for them, up to ``max_executors``."""
    max_executors: int = Field(8, ge=1)
    archives: Annotated[str, AfterValidator(a_readable_uri)] | None = None
    """The folder of the archives of jars and packages, a URI; None: a folder of this user on the warehouse's file
    system."""
    java_home: str | None = None
    """The Java on the nodes; None: the one that YARN finds there."""
    python: str | None = None
    """The path of the Python on the nodes; None: the same path as on this machine."""
    principal: str | None = None
    keytab: str | None = None
    """``principal`` and ``keytab`` are Kerberos's; both are set, or neither."""

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        check_memory("executor_memory", self.executor_memory)
        return self

    @model_validator(mode="after")
    def _both_or_none(self) -> YarnSettings:
        if (self.principal is None) != (self.keytab is None):
            raise ValueError("principal and keytab go together")
        return self


def _an_instant(now: datetime) -> datetime:
    if not FIRST_YEAR <= now.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return now


class ClockSettings(Section):
    """The clock of the process."""

    now: Annotated[datetime, AfterValidator(_an_instant)] | None = None
    """The instant that the clock always shows; a time without a zone is UTC. None: the machine's clock."""


class LocationSettings(Section):
    """A location whose data is fetched."""

    key: Annotated[str, AfterValidator(_a_location_key)]
    """The location's part of partition keys, for instance ``hanoi``."""
    name: str
    """The name for people."""
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    """Both in degrees, north and east positive."""
    timezone: Annotated[str, AfterValidator(a_time_zone)]
    """The name of its IANA time zone."""


class Settings(Section):
    """The settings of a profile that every project has, validated. A project adds sections of its own."""

    profile: str = "local"
    engine: EngineName = "embedded"
    """The engine that computes rows. If no layer names one: ``spark`` for YARN and for a warehouse that is not a folder
    of this machine, else ``embedded``."""
    warehouse: WarehouseSettings = WarehouseSettings()
    spark: SparkSettings = SparkSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    yarn: YarnSettings = YarnSettings()
    clock: ClockSettings = ClockSettings()
    locations: list[LocationSettings] = Field(min_length=1)
    hourly: HourlySettings = HourlySettings()
    history: HistorySettings = HistorySettings()
    feed: FeedSettings = FeedSettings()
    sources: SourcesSettings = SourcesSettings()
    essential: dict[str, list[str]] = Field(default_factory=dict)
    """Key of a fetched asset → its essential columns, in place of the declared ones. An hour is complete when all
    essential columns have a value."""
    deploy: DeploySettings = DeploySettings()
    deployments: dict[str, DeploymentSettings | None] = Field(default_factory=dict)
    alerts: AlertSettings = AlertSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    raw: RawSettings = RawSettings()
    report: ReportSettings = ReportSettings()
    openlineage: OpenLineageSettings = OpenLineageSettings()

    @model_validator(mode="before")
    @classmethod
    def _an_engine(cls, values: Any) -> Any:
        """``values`` with an engine."""
        if isinstance(values, dict) and values.get("engine") is None:
            return {**values, "engine": "spark" if _needs_spark(values) else "embedded"}
        return values

    @model_validator(mode="after")
    def _fitting_engine(self) -> Self:
        if self.engine == "embedded" and self.needs_spark:
            message = f"must be spark (got 'embedded'): {self.needs_spark}"
            raise Refused(("engine",), message, "Use --engine spark, or leave engine out.")
        return self

    @model_validator(mode="after")
    def _a_folder_for_the_engine(self) -> Self:
        uri = self.warehouse.uri
        if uri is not None and (self.engine == "embedded" or "://" not in uri or uri.startswith("file://")):
            _check_folder(uri, self.engine)
        return self

    @model_validator(mode="after")
    def _distinct_locations(self) -> Self:
        keys = [location.key for location in self.locations]
        check_distinct("locations", keys)
        self.history.check(keys)
        return self

    @model_validator(mode="after")
    def _begun_history(self) -> Self:
        self.history.check_begun(day_of(self.now()))
        return self

    @property
    def since(self) -> dict[str, date]:
        """Location key → the first day (UTC) of its wanted history, for the configured locations that declare one."""
        return self.history.since_by_location([location.key for location in self.locations])

    @property
    def configured_locations(self) -> tuple[Location, ...]:
        """The configured locations."""
        return tuple(Location(**location.model_dump()) for location in self.locations)

    @property
    def needs_spark(self) -> str:
        """Why only Spark can be the engine of these settings; empty where either engine can."""
        return _needs_spark(self.model_dump(include={"profile", "spark", "warehouse"}))

    @property
    def heap_bytes(self) -> int:
        """The heap in which Spark computes rows, in bytes: the driver's; on YARN the smaller of the driver's and an
        executor's."""
        driver = bytes_of(self.spark.driver_memory)
        return min(driver, bytes_of(self.yarn.executor_memory)) if self.on_yarn else driver

    @property
    def on_yarn(self) -> bool:
        """Whether the session is an application on YARN."""
        return self.spark.master == "yarn"

    @cached_property
    def now(self) -> Clock:
        """The clock of this process, as ``clock.now`` sets it."""
        return system_clock if self.clock.now is None else fixed_clock(self.clock.now)


def _check_folder(uri: str, engine: str) -> None:
    """Raises Refused for a folder whose path the engine, or deltalake, would read as another path or as a pattern of
    several paths."""
    key = ("warehouse", "uri")
    try:
        folder = str(Path(uri.removeprefix("file://")).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a user who is not there, links in a circle
        raise Refused(key, f"is no folder ({error})", "Use another folder.") from error
    signs = [sign for sign in (PATTERNS if engine == "embedded" else "") + UNREADABLE if sign in folder]
    if signs:
        remedy = "Use another folder" + (", or --engine spark." if set(signs) <= set(PATTERNS) else ".")
        raise Refused(key, f"the engine {engine} takes no folder with {' '.join(signs)} in its path ({folder})", remedy)


def _needs_spark(values: Mapping[str, Any]) -> str:
    """Why only Spark can be the engine for these values, which are not validated yet; empty where either engine can."""
    spark, warehouse = (values.get(name) or {} for name in ("spark", "warehouse"))
    master = spark.get("master") if isinstance(spark, dict) else None
    if isinstance(master, str) and not master.startswith("local"):
        return f"spark.master is {master}"
    if values.get("profile") == "yarn":
        return "the profile yarn is for Spark on YARN"
    uri = warehouse.get("uri", "warehouse") if isinstance(warehouse, dict) else "warehouse"
    if uri is None or (isinstance(uri, str) and "://" in uri and not uri.startswith("file://")):
        return "the warehouse is no folder on this machine, so nothing but Delta on Spark keeps two runs apart"
    return ""


S = TypeVar("S", bound=Settings)


def check_distinct(what: str, names: Sequence[str]) -> None:
    """Raises ValueError for a name that stands twice among ``names``. what: the setting, for the message."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{what}: the key {doubled[0]!r} is used twice; keys must be distinct")


def load(
    model: type[S],
    folder: Path,
    files: Sequence[str],
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> S:
    """The settings of a profile, as an instance of ``model``.

    profile: a name in ``folder``, or the path of a YAML file; None: ``AQI_PROFILE``, else ``local``. files: names of
    files in ``folder`` that are read before every profile. environment: None: the one of this process. flags: nested
    values that override everything else.
    Raises ConfigurationError, which names the file or variable, the key and the remedy.
    """
    environment = os.environ if environment is None else environment
    name = profile or environment.get("AQI_PROFILE") or "local"
    values, origins = values_of(folder, files, name, environment, flags or {})
    wrong: ConfigurationError | None = None
    try:
        settings = model.model_validate({**values, "profile": name})
    except ValidationError as error:
        wrong = as_configuration_error(model, error, origins)
    if wrong is not None:  # raised out here: the text of pydantic's error may hold a secret that stands in a wrong key
        raise wrong
    check_no_secrets(model, values, origins)
    never_tell([*secrets_said(settings), *secrets_of(environment)])
    return settings

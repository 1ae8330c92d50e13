"""The sections of the settings for a pipeline that runs by itself: the hourly window, deployments, alerts, upkeep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from resources.settings.section import Section, a_time_zone, an_http_url

A_NAME = r"^[a-z0-9][a-z0-9-]*$"
DELTA_KNOWS_HOURS = 168
"""``delta.deletedFileRetentionDuration``, of tables that do not have it otherwise, as ours do not."""


class HourlySettings(Section):
    """Which days `--hourly` looks at. Days are UTC days.

    revisable_days: so many before today, which the provider may still revise. catch_up_days: how far back a gap is
    filled. incomplete_days: how old a day may be of which values are lacking, to be asked for again.
    """

    revisable_days: int = Field(2, ge=0, le=30)
    catch_up_days: int = Field(14, ge=0, le=366)
    incomplete_days: int = Field(30, ge=0, le=366)


class FeedSettings(Section):
    """What of a source's feed people are warned of. frozen_hours: so many hours of a day in a row in which no variable
    changes; 0: never."""

    frozen_hours: int = Field(12, ge=0, le=24)


class SourcesSettings(Section):
    """How runs ask sources. limit_wait_minutes: so long `--wait` waits for limits at most, from one answer to the next:
    a day, after which every daily limit has begun anew, and an hour."""

    limit_wait_minutes: float = Field(1500, gt=0)


class ScheduleSettings(Section):
    """When a deployment runs by itself. cron: five fields, in ``timezone``."""

    cron: str = Field(pattern=r"^\S+( \S+){4}$")
    timezone: Annotated[str, AfterValidator(a_time_zone)] = "UTC"


class OverlapSettings(Section):
    """How many runs of a deployment at once, and what becomes of one more: it is skipped, or waits.

    wait_minutes: for how long; then it is refused.
    """

    limit: int = Field(1, ge=1)
    on_collision: Literal["skip", "queue"] = "skip"
    wait_minutes: float = Field(1440, gt=0)


class DeploymentSettings(Section):
    """A deployment. flow: one of ``orchestration.flows``. schedules: by slug. pool: None for ``deploy.pool``."""

    flow: Literal["materialize", "backfill", "maintenance"]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: dict[Annotated[str, Field(pattern=A_NAME)], ScheduleSettings | None] = Field(default_factory=dict)
    overlap: OverlapSettings | None = None
    pool: Annotated[str, Field(pattern=A_NAME)] | None = None
    late_after_minutes: float = Field(10, gt=0)


class PoolSettings(Section):
    """A work pool. limit: so many runs at once; None: as many as come."""

    limit: int | None = Field(None, ge=1)


def _an_environment(name: str) -> str:
    if name == "default":
        raise ValueError("is what the environment without a name is called: leave it empty, or choose another name")
    return name


class DeploySettings(Section):
    """environment: several side by side on one server differ in it; it ends the names of deployments and pools.

    pending_seconds: a run that a worker took, and that has not begun after so long, is given up.
    """

    environment: Annotated[str, AfterValidator(_an_environment)] = Field("", pattern=r"^([a-z0-9][a-z0-9-]*)?$")
    pool: str = Field("aqi", pattern=A_NAME)
    pools: dict[Annotated[str, Field(pattern=A_NAME)], PoolSettings] = Field(default_factory=dict)
    pending_seconds: float = Field(300, gt=0)


class EmailSettings(Section):
    """A mail server. security: ``starttls`` (usually port 587), ``tls`` (465) or ``none`` (25)."""

    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: list[str] = Field(min_length=1)


class WebhookSettings(Section):
    """An address that takes a POST. form: ``slack`` (a text, for Mattermost too) or ``json`` (every field)."""

    url: SecretStr
    form: Literal["slack", "json"] = "json"

    @model_validator(mode="after")
    def _an_address(self) -> WebhookSettings:
        an_http_url(self.url.get_secret_value())
        return self


class AlertSettings(Section):
    """Who is told when something is wrong. every_seconds: how often `aqi watch` looks. webhooks: by a name of yours."""

    every_seconds: float = Field(60, gt=0)
    email: EmailSettings | None = None
    webhooks: dict[str, WebhookSettings | None] = Field(default_factory=dict)


def _no_longer_than_delta_knows(hours: float) -> float:
    if hours > DELTA_KNOWS_HOURS:
        raise ValueError(
            f"must be at most {DELTA_KNOWS_HOURS}: Delta's checkpoints forget after a week which files were removed "
            "(delta.deletedFileRetentionDuration), and these could not be kept for longer"
        )
    return hours


class RawSettings(Section):
    """How long what sources sent is kept.

    retention_days: after an answer lost its last row, or was turned away. retention_bytes: of a table's answers
    together, compressed; None: no bound. keep_owned: as long as rows of the table are an answer's, it stays.
    """

    retention_days: float = Field(30, ge=1, le=36_600)
    retention_bytes: int | None = Field(None, ge=1)
    keep_owned: bool = True


class ReportSettings(Section):
    """The report that an hourly run of a deployment leaves behind. path: of its file, replaced whole each time; a URI
    as well; None: none is made."""

    path: str | None = Field(None, min_length=1)


class MaintenanceSettings(Section):
    """The weekly upkeep. logs_days: logs of runs, on this machine.

    retention_hours: removed files are kept so long. No longer than a week: which files were removed is forgotten then,
    as Delta leaves it out of checkpoints after ``delta.deletedFileRetentionDuration``, and they would be deleted.
    """

    retention_hours: Annotated[float, AfterValidator(_no_longer_than_delta_knows)] = Field(168, ge=24)
    logs_days: float = Field(30, ge=1)

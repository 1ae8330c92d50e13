"""The sections of the settings for a pipeline that runs by itself: the hourly window, sources, deployments, alerts, raw
answers, reports, maintenance."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from resources.settings.section import LONGEST_DAYS, Section, a_time_zone, an_http_url
from resources.settings.warehouse_uri import a_readable_uri

A_NAME = r"^[a-z0-9][a-z0-9-]*$"
DELTA_KNOWS_HOURS = 168
"""Delta's default of ``delta.deletedFileRetentionDuration``, in hours. Our tables do not set it. After that time the
checkpoints of a table's log no longer name the removed files."""


class HourlySettings(Section):
    """Which days `--hourly` makes. Days are UTC days."""

    revisable_days: int = Field(2, ge=0, le=30)
    """This many days before today are fetched again, as the provider may still revise them."""
    catch_up_days: int = Field(14, ge=0, le=366)
    """Days that are missing are made up to this many days back."""
    incomplete_days: int = Field(30, ge=0, le=366)
    """A day that lacks values is fetched again while it is at most this many days old."""


class FeedSettings(Section):
    """When a warning is given about what a source sends."""

    frozen_hours: int = Field(12, ge=0, le=24)
    """The feed of a day counts as frozen when no variable changes for this many hours in a row; 0: it never does."""


class SourcesSettings(Section):
    """How runs ask sources."""

    limit_wait_minutes: float = Field(1500, gt=0, le=LONGEST_DAYS * 1440)
    """With `--wait` a run waits at most this long, between two answers, for a limit of requests to end. The default is
    a day, after which every daily limit has begun anew, and an hour."""


class ScheduleSettings(Section):
    """When a deployment runs by itself."""

    cron: str = Field(pattern=r"^\S+( \S+){4}$")
    """The five fields of cron, read in ``timezone``."""
    timezone: Annotated[str, AfterValidator(a_time_zone)] = "UTC"


class OverlapSettings(Section):
    """How many runs of a deployment may go on at once, and what happens to one more."""

    limit: int = Field(1, ge=1)
    """At most this many runs go on at once."""
    on_collision: Literal["skip", "queue"] = "skip"
    """One more run is skipped, or it waits until another has ended."""
    wait_minutes: float = Field(1440, gt=0, le=LONGEST_DAYS * 1440)
    """A run that has waited this long is refused."""


class DeploymentSettings(Section):
    """A deployment on the Prefect server."""

    flow: Literal["materialize", "backfill", "maintenance"]
    """The name of a flow in ``orchestration.flows``."""
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """The parameters of the flow, by name."""
    schedules: dict[Annotated[str, Field(pattern=A_NAME)], ScheduleSettings | None] = Field(default_factory=dict)
    """Slug → schedule; None takes out a schedule that an earlier layer set."""
    overlap: OverlapSettings | None = None
    """None: any number of runs go on at once."""
    pool: Annotated[str, Field(pattern=A_NAME)] | None = None
    """The work pool; None: the one in ``deploy.pool``."""
    late_after_minutes: float = Field(10, gt=0, le=LONGEST_DAYS * 1440)
    """A run is reported as late when it starts more than this long after the time it was scheduled for."""


class PoolSettings(Section):
    """A work pool on the Prefect server."""

    limit: int | None = Field(None, ge=1)
    """At most this many runs go on at once in the pool; None: any number."""


def _an_environment(name: str) -> str:
    if name == "default":
        raise ValueError("is what the environment without a name is called: leave it empty, or choose another name")
    return name


class DeploySettings(Section):
    """What all deployments have in common."""

    environment: Annotated[str, AfterValidator(_an_environment)] = Field("", pattern=r"^([a-z0-9][a-z0-9-]*)?$")
    """The name of this environment; empty: it has none. Environments that share a Prefect server need different names.
    The names of deployments and work pools end in it."""
    pool: str = Field("aqi", pattern=A_NAME)
    """The work pool of the deployments that name none."""
    pools: dict[Annotated[str, Field(pattern=A_NAME)], PoolSettings] = Field(default_factory=dict)
    """Name of a work pool → its settings."""
    pending_seconds: float = Field(300, gt=0, le=LONGEST_DAYS * 86_400)
    """A run that a worker took, and that has not begun this long after, is given up."""


class EmailSettings(Section):
    """The mail server that sends alerts, and who gets them."""

    host: str
    port: int = Field(587, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    """``starttls`` (usually port 587), ``tls`` (465) or ``none`` (25)."""
    user: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: list[str] = Field(min_length=1)


class WebhookSettings(Section):
    """An address that takes alerts by POST."""

    url: SecretStr
    form: Literal["slack", "json"] = "json"
    """The body of the POST: ``slack`` is one text, which Mattermost takes too; ``json`` has every field of an alert."""

    @model_validator(mode="after")
    def _an_address(self) -> WebhookSettings:
        url = an_http_url(self.url.get_secret_value())
        try:
            parts = urlsplit(url)
            is_one = bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is none, half of an IPv6 address
            is_one = False
        if not is_one:
            raise ValueError("url must be an address like https://hooks.example.org/path")
        return self


class AlertSettings(Section):
    """Who gets alerts when something is wrong."""

    every_seconds: float = Field(60, gt=0, le=LONGEST_DAYS * 86_400)
    """`aqi watch` observes tables and server once in this time."""
    email: EmailSettings | None = None
    webhooks: dict[str, WebhookSettings | None] = Field(default_factory=dict)
    """A name that the user chooses → a webhook; None takes out one that an earlier layer set."""


def _no_longer_than_delta_knows(hours: float) -> float:
    if hours > DELTA_KNOWS_HOURS:
        raise ValueError(
            f"must be at most {DELTA_KNOWS_HOURS}: Delta's checkpoints forget after a week which files were removed "
            "(delta.deletedFileRetentionDuration), and these could not be kept for longer"
        )
    return hours


class RawSettings(Section):
    """How long the raw answers of sources are kept. The rules are those of ``core.state.raw_retention``."""

    retention_days: float = Field(30, ge=1, le=LONGEST_DAYS)
    """An answer is kept this many days after its last row was replaced, or after it was rejected."""
    retention_bytes: int | None = Field(None, ge=1)
    """All answers of a table together may have this size, compressed; None: any size."""
    keep_owned: bool = True
    """Whether an answer is kept, however old it is, while rows of the table are from it."""


class ReportSettings(Section):
    """The report that each hourly run of a deployment writes."""

    path: Annotated[str, AfterValidator(a_readable_uri), Field(min_length=1)] | None = None
    """The file of the report, a path or a URI; each run replaces it as a whole. None: no report is written."""


class MaintenanceSettings(Section):
    """What the weekly maintenance keeps."""

    retention_hours: Annotated[float, AfterValidator(_no_longer_than_delta_knows)] = Field(168, ge=24)
    """Files that were removed from a table are kept this long, at most a week (``DELTA_KNOWS_HOURS``). After a week
    Delta's checkpoints no longer name these files, and they would be deleted whatever this setting says."""
    logs_days: float = Field(30, ge=1, le=LONGEST_DAYS)
    """The logs of runs on this machine are kept this many days."""

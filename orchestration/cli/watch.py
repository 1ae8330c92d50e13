"""The command that tells people when something is wrong: watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import command, json_option, main, profile_option, served_project
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError
from resources.prefect.quiet import quiet_prefect

if TYPE_CHECKING:
    from orchestration.core.alerts.watch_state import Incident
    from orchestration.core.json_value import JsonValue
    from resources.settings.load import Settings

HOW_TO = (
    "Set alerts.email or alerts.webhooks in the profile, or for instance AQI_ALERTS__EMAIL__HOST, "
    "AQI_ALERTS__EMAIL__SENDER and AQI_ALERTS__EMAIL__RECIPIENTS='[ops@example.org]', or "
    "AQI_ALERTS__WEBHOOKS='{team: {url: https://example.org/hook, form: slack}}'."
)


@main.command()
@click.option("--once", is_flag=True, help="Look once; the exit status is 1 if something is wrong.")
@click.option("--test", "testing", is_flag=True, help="Send a test through every channel, and do nothing else.")
@profile_option
@json_option
@command
def watch(once: bool, testing: bool, profile: str | None, as_json: bool) -> int:
    """Tell people what is wrong, once, and when it is over.

    Runs that failed or crashed, runs that are late, tables that lie further behind than they may, a Prefect server that
    does not answer.

    Looks every alerts.every_seconds until it is ended (Ctrl-C, SIGTERM). The server is the one of PREFECT_API_URL.
    What a channel cannot take is sent at a later look; what it refuses again and again is replaced by a short
    message, then given up. Without channels, --once only looks, and remembers nothing. Needs no JVM.
    """
    if testing and (once or as_json):
        raise UsageError("--test goes alone", "Leave --once and --json away.")
    if as_json and not once:
        raise UsageError("--json is for one look", "Add --once.")

    settings = served_project().load(profile)
    return _test(settings) if testing else _watch(settings, once, as_json)


def _watch(settings: Settings, once: bool, as_json: bool) -> int:
    quiet_prefect()
    from orchestration.service.watch import make_watch
    from resources.alert_channels import channels_of
    from resources.prefect.server import named_api_url

    channels = channels_of(settings.alerts)
    if not channels and not once:
        raise UsageError("nobody would be told: no channel is configured", HOW_TO)
    api_url = named_api_url()
    made = make_watch(settings, channels, api_url, lambda line: click.echo(line, err=True))
    if once:
        found = made.observe()
        _show(found.incidents, as_json, healthy=found.is_healthy)
        return 0 if found.is_healthy else 1
    receivers = ", ".join(channels)
    click.echo(f"looks every {settings.alerts.every_seconds:g} s, tells {receivers} (Ctrl-C ends it)", err=True)
    try:
        made.forever()
    except KeyboardInterrupt:
        return 0


def _show(incidents: tuple[Incident, ...], as_json: bool, *, healthy: bool) -> None:
    from orchestration.core.alerts.incident_words import day_and_time
    from orchestration.core.calendar import iso

    def values() -> list[JsonValue]:
        names = ("key", "kind", "title", "text")
        return [{name: getattr(item, name) for name in names} | {"since": iso(item.since)} for item in incidents]

    def print_them() -> None:
        for item in incidents:
            click.echo(f"{item.title} (since {day_and_time(item.since)})")
            click.echo("".join(f"  {line}\n" for line in item.text.splitlines()), nl=False)
        if healthy:
            click.echo("Nothing is wrong.")

    emit(values, as_json, print_them)


def _test(settings: Settings) -> int:
    from orchestration.service.watch import SENDING_SECONDS, a_test
    from resources.alert_channels import Bounded, channels_of

    channels = channels_of(settings.alerts)
    if not channels:
        raise UsageError("no channel is configured", HOW_TO)
    message, failed = a_test(environment=settings.deploy.environment), False
    for name, channel in channels.items():
        error = Bounded(channel).send(message, SENDING_SECONDS)
        failed |= error is not None
        click.echo(f"{name}: {'ok' if error is None else f'failed: {error.message}'}")
    return 1 if failed else 0

"""`aqi simulate`: the API's simulator, or a recorder before the source, until it is interrupted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from assets.variables import VARIABLES
from orchestration.cli.emit import emit_line
from orchestration.core.errors import UsageError
from resources.open_meteo.settings import OpenMeteoSettings
from resources.settings.load import Settings
from resources.simulator.faults import parse_faults
from resources.simulator.quota import parse_limits
from resources.simulator.recorder import Recorder
from resources.simulator.recordings import Recorded, load_recordings
from resources.simulator.server import Simulator


@dataclass(frozen=True)
class Wrong:
    """What is to go wrong, as the command line says it. seed: of what is drawn. limits: of calls; empty: none."""

    faults: str = ""
    seed: int = 0
    limits: str = ""


def serve(
    settings: Settings,
    port: int,
    wrong: Wrong,
    *,
    replay: Path | None,
    newest_wins: bool,
    record: Path | None,
    as_json: bool = False,
) -> int:
    """Serve on 127.0.0.1. replay: a folder with recorded answers. record: a folder to keep the source's in.

    newest_wins: of recorded answers that disagree the last by name counts. as_json: say on standard output, in a line
    of JSON, where it serves and what.
    Raises UsageError where what is asked for cannot be had.
    """
    if record is not None and wrong.limits:
        raise UsageError("--record goes without --limits", "The source has limits of its own.")
    recorder = None if record is None else _recorder(settings, record, bool(replay or wrong.faults))
    if newest_wins and replay is None:
        raise UsageError("--newest-wins goes with --replay", "Name the folder of the recorded answers.")
    recorded = None if replay is None else _recordings(replay, newest_wins)
    server = Simulator(
        now=settings.now,
        port=port,
        replay=recorded,
        faults=parse_faults(
            wrong.faults, {at.key: (at.latitude, at.longitude) for at in settings.configured_locations}
        ),
        seed=wrong.seed,
        limits=parse_limits(wrong.limits) if wrong.limits else None,
        injected=settings.clock.now is not None,
        pass_on=recorder,
    )
    try:
        if recorded is not None:
            click.echo(f"There are recorded answers about {recorded.days} (UTC).", err=True)
        if recorder is None:
            click.echo(f"Open-Meteo's API is simulated at {server.url} (Ctrl-C ends it)", err=True)
        else:
            _open(recorder, server.url)
            what = f"Requests to {server.url} are passed on to {recorder.address}; its answers are kept in {record}"
            click.echo(f"{what} (Ctrl-C ends it)", err=True)
        click.echo(f"use it: export AQI_OPEN_METEO__BASE_URL={server.url}", err=True)
        if as_json:
            said = {"url": server.url, "replay": _said(replay), "record": _said(record)}
            emit_line(said | asdict(wrong))
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    return 0


def _said(folder: Path | None) -> str | None:
    return None if folder is None else str(folder)


def _recordings(folder: Path, newest_wins: bool) -> Recorded:
    def note(line: str) -> None:
        click.echo(f"note: {line}", err=True)

    return load_recordings(folder, note, newest_wins=newest_wins, wanted=VARIABLES)


def _recorder(settings: Settings, folder: Path, has_others: bool) -> Recorder:
    if has_others:
        raise UsageError("--record goes with neither --replay nor --fault", "Leave them out.")
    api = getattr(settings, "open_meteo", None)
    if not isinstance(api, OpenMeteoSettings):
        raise UsageError("this project has no source to record", "Leave out --record.")
    return Recorder(folder, api, settings.now, lambda line: click.echo(line, err=True))


def _open(recorder: Recorder, url: str) -> None:
    if recorder.leads_to(url):
        raise UsageError(
            f"open_meteo.base_url is {recorder.address}, which is where the requests are recorded",
            "Let it name the source here, and the recorder's address where the run is.",
        )
    recorder.open()

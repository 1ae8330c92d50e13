"""Findings of `aqi doctor` about the network: the way to each address (a proxy, or directly), and Prefect's server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from orchestration.core.errors import LakehouseError, MachineError
from orchestration.engine.project import Project
from orchestration.reports.source_health import sources_of
from resources.hadoop.configuration import HadoopConf
from resources.machine.addresses import without_secrets
from resources.machine.proxies import check_way, names_a_proxy, settle
from resources.prefect.client import open_api
from resources.prefect.home import DATABASE, how_to_look, is_ready, of_other_versions, own_home, prefect_version
from resources.prefect.leases import lease_storage, leases_in_words
from resources.prefect.reach import SECONDS, version_of, what_is_wrong
from resources.prefect.server import check_client, configured_api_url
from resources.settings.load import Settings


def ways_found(project: Project, settings: Settings) -> str:
    """The way to each address of the settings. Raises MachineError where there is no way to one of them."""
    if not names_a_proxy(os.environ):
        return "none in the environment: all goes directly"
    ways, wrong = [], []
    for what, url in _addresses(project, settings):
        try:
            ways.append(f"{what}: {check_way(url).in_words()}")
        except MachineError as error:
            wrong.append(error)
    if api := configured_api_url():
        try:
            settle(api)
            ways.append(f"{without_secrets(api)}: {check_way(api, {}).in_words()}")
        except MachineError as error:
            wrong.append(error)
    if settings.alerts.email is not None:
        ways.append(f"{settings.alerts.email.host}: direct (mail knows no proxy)")
    if wrong:
        raise MachineError("; ".join(error.message for error in wrong), wrong[0].remedy)
    return "; ".join(dict.fromkeys(ways))


def _addresses(project: Project, settings: Settings) -> Iterator[tuple[str, str]]:
    """The addresses that are called over HTTP: (address for people, URL). A webhook is only its host: its path may be
    secret."""
    for name in sources_of(project):
        with suppress(LakehouseError):  # the finding about the source reports it
            address = project.sources[name](settings).address
            yield address, address
    for webhook in settings.alerts.webhooks.values():
        if webhook is not None:
            parts = urlsplit(webhook.url.get_secret_value())
            host = f"{parts.scheme}://{parts.hostname}"
            yield host, host
    if (url := settings.openlineage.url) is not None and settings.openlineage.way == "http":
        yield without_secrets(url), url
    if settings.on_yarn:
        with suppress(LakehouseError):  # the findings about the cluster report it
            for url in HadoopConf.load().resource_managers():
                yield without_secrets(url), url


def prefect_found() -> str:
    """Prefect's server and its version; without a configured server, the folder of our own server's history. Raises
    MachineError where the server cannot be used."""
    check_client()
    url = configured_api_url()
    if not url:
        home = own_home()
        there = "" if is_ready(home) else " (made or migrated by the next run)"
        return (
            f"no server is configured: every run brings its own (Prefect {prefect_version()}), with its history in "
            f"{home / DATABASE}{there}; to look: {how_to_look(home)}{_others_in_words()}"
        )
    if wrong := what_is_wrong(url):
        raise MachineError(f"{without_secrets(url)} {wrong.what}", wrong.remedy)
    return f"{without_secrets(url)}{_version_in_words(url)}"


def _others_in_words() -> str:
    if not (others := ", ".join(map(str, of_other_versions()))):
        return ""
    return f"; kept besides, of other versions of Prefect, by which they are shown: {others} (they may be removed)"


def leases_found() -> str:
    """Where the configured server keeps the leases of slots, and what follows from that. Never raises."""
    url = configured_api_url()
    try:
        with open_api(url, retries=0, timeout_seconds=SECONDS) as api:
            return leases_in_words(lease_storage(api))
    except Exception as error:  # the finding about the server reports that it does not answer  # noqa: BLE001
        return f"the server does not tell where it keeps them ({type(error).__name__})"


def _version_in_words(url: str) -> str:
    """The version of the server, with the client's version if it differs; empty where the server does not say."""
    found, ours = version_of(url), prefect_version()
    if not found:
        return ""
    return f", Prefect {found}" + ("" if found == ours else f" (this machine's client is {ours})")

"""A client of YARN's ResourceManager, by its REST interface: checks queue and nodes before a session, finds and ends
applications.

Source: https://hadoop.apache.org/docs/stable/hadoop-yarn/hadoop-yarn-site/ResourceManagerRest.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import requests

from orchestration.core.errors import MachineError, RunError, in_a_line
from resources.hadoop.configuration import HadoopConf, user_name
from resources.machine.addresses import without_secrets
from resources.machine.proxies import for_requests

TIMEOUT_SECONDS = 5.0
KILL_SECONDS = 30.0
FINAL = ("FINISHED", "FAILED", "KILLED")
"""The states of applications that have ended."""
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_OTHER_ANSWERS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What is raised where an answer is no JSON, or other JSON than a ResourceManager sends."""
_SECURE = "This cluster asks for Kerberos: pip install requests-gssapi, and kinit."


@dataclass(frozen=True, slots=True)
class Application:
    """An application as YARN reports it."""

    id: str
    name: str
    state: str
    """NEW, ACCEPTED, RUNNING, FINISHED, FAILED, KILLED, …"""
    final: str
    """How its work ended, as it said itself: UNDEFINED, SUCCEEDED, FAILED or KILLED."""
    tags: frozenset[str]
    diagnostics: str = ""
    containers: int = 0
    """The number of its running containers, with that of its application master."""

    @property
    def has_executors(self) -> bool:
        """Whether it has at least one executor: a container besides that of its application master."""
        return self.state == "RUNNING" and self.containers > 1


P = ParamSpec("P")
R = TypeVar("R")


def _understood(method: Callable[P, R]) -> Callable[P, R]:
    """A method that raises MachineError where an answer is other JSON than a ResourceManager sends."""

    @wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except _OTHER_ANSWERS as error:
            raise MachineError(
                f"what answers as YARN's ResourceManager sends other JSON than one does ({type(error).__name__})",
                "Check its address in yarn-site.xml, and YARN_RM_URL if that is set.",
            ) from error

    return checked


class ResourceManager:
    """The ResourceManager of a cluster: the active one among those that the configuration names.

    Its methods raise MachineError where none answers.
    """

    def __init__(self, conf: HadoopConf) -> None:
        self._urls = conf.resource_managers()
        self._session = requests.Session()
        if conf.is_secure:
            self._session.auth = _kerberos()
        else:
            self._session.params = {"user.name": user_name()}

    @_understood
    def info(self) -> dict[str, Any]:
        """The ResourceManager's ``clusterInfo``: version, state, start, …"""
        found: dict[str, Any] = self._ask("cluster/info")["clusterInfo"]
        return found

    @_understood
    def check_queue(self, name: str) -> str:
        """The full path of the queue ``name``. Raises MachineError for a queue that is unknown, has queues below it, or
        does not accept applications."""
        queues = list(_queues(self._ask("cluster/scheduler")["scheduler"]["schedulerInfo"]))
        for queue in queues:
            path = str(queue.get("queuePath") or queue["queueName"])
            if name in (queue["queueName"], path, f"root.{queue['queueName']}"):
                state = str(queue.get("state", "RUNNING"))
                if state != "RUNNING":
                    raise MachineError(
                        f"the YARN queue {name} is {state}", "Set yarn.queue to one that takes applications."
                    )
                return path
        known = ", ".join(sorted(str(queue["queueName"]) for queue in queues))
        raise MachineError(f"the YARN queue {name!r} is unknown", f"Set yarn.queue to one of {known}.")

    @_understood
    def check_container(self, mebibytes: int, cores: int, what: str, remedy: str) -> None:
        """Raises MachineError where no NodeManager, even an idle one, has room for a container of this size. what:
        needs the container, for the message."""
        nodes = self._nodes()
        if not nodes:
            raise MachineError(
                "YARN has no NodeManager that runs", "Start one, or see the ResourceManager's page of nodes."
            )
        sizes = [(node["availMemoryMB"] + node["usedMemoryMB"], _cores(node)) for node in nodes]
        if not any(memory >= mebibytes and there >= cores for memory, there in sizes):
            most = max(memory for memory, _ in sizes)
            raise MachineError(
                f"{what} needs a container of {mebibytes} MiB and {cores} cores; the largest NodeManager has "
                f"{most} MiB and {max(there for _, there in sizes)} cores",
                remedy,
            )

    @_understood
    def nodes(self) -> int:
        """The number of NodeManagers that run."""
        return len(self._nodes())

    @_understood
    def applications(self, tag: str, *, running: bool = True) -> list[Application]:
        """The applications with a tag. running: True: those that have not ended; False: all that YARN remembers."""
        states = {"states": "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"} if running else {}
        found = self._ask("cluster/apps", applicationTags=tag.lower(), **states).get("apps") or {}
        return [_application(item) for item in found.get("app", [])]

    @_understood
    def application(self, application_id: str) -> Application:
        """The application with this id."""
        return _application(self._ask(f"cluster/apps/{application_id}")["app"])

    def kill(self, application_id: str) -> None:
        """End an application and wait until YARN reports its end. Raises RunError where YARN refuses, or where it does
        not end within ``KILL_SECONDS``."""
        deadline = time.monotonic() + KILL_SECONDS
        while time.monotonic() < deadline:
            url = f"{self._active()}/ws/v1/cluster/apps/{application_id}/state"
            try:
                answer = self._session.put(
                    url, json={"state": "KILLED"}, timeout=TIMEOUT_SECONDS, proxies=for_requests(url)
                )
            except requests.RequestException as error:
                raise RunError(f"YARN did not end {application_id} ({type(error).__name__})") from error
            if answer.status_code in (401, 403):
                raise RunError(
                    f"YARN does not let {user_name()} end {application_id}",
                    f"Ask who may: yarn application -kill {application_id}",
                )
            if self.application(application_id).state in FINAL:
                return
            time.sleep(0.2)
        raise RunError(f"{application_id} did not end within {KILL_SECONDS:.0f} s", "See the ResourceManager's page.")

    def _nodes(self) -> list[dict[str, Any]]:
        return list((self._ask("cluster/nodes", states="RUNNING").get("nodes") or {}).get("node", []))

    def _active(self) -> str:
        """The URL of the active ResourceManager. One on standby does not answer: it redirects to the active one."""
        tried = []
        for url in self._urls:
            shown = without_secrets(url)
            try:
                answer = self._session.get(
                    f"{url}/ws/v1/cluster/info",
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                    proxies=for_requests(url),
                )
            except requests.RequestException as error:
                tried.append(f"{shown} ({_why(error)})")
                continue
            if not answer.ok or not answer.headers.get("Content-Type", "").startswith("application/json"):
                tried.append(f"{shown} (HTTP {answer.status_code})")
                continue
            try:
                state = answer.json().get("clusterInfo", {}).get("haState", "ACTIVE")
            except _OTHER_ANSWERS:
                tried.append(f"{shown} (its answer is not a ResourceManager's)")
                continue
            if state == "ACTIVE":
                self._urls = [url, *(other for other in self._urls if other != url)]
                return url
            tried.append(f"{shown} (stands by)")
        raise MachineError(
            f"YARN's ResourceManager does not answer: {', '.join(tried)}",
            "Check that it runs, yarn-site.xml in HADOOP_CONF_DIR, and YARN_RM_URL if that is set.",
        )

    def _ask(self, path: str, **query: str) -> dict[str, Any]:
        """The active ResourceManager's answer, as JSON. Raises MachineError."""
        url = f"{self._active()}/ws/v1/{path}"
        try:
            answer = self._session.get(
                url,
                params=query,
                headers={"Accept": "application/json"},
                timeout=TIMEOUT_SECONDS,
                proxies=for_requests(url),
            )
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise MachineError(
                f"YARN's ResourceManager does not answer to {without_secrets(url)} ({_why(error)})", "See its log."
            ) from error
        return found


def _kerberos() -> Any:
    """The authentication by Kerberos for `requests`. Raises MachineError where its package is not installed."""
    try:
        from requests_gssapi import HTTPSPNEGOAuth  # type: ignore[import-not-found]
    except ImportError as error:
        raise MachineError("YARN's REST interface wants Kerberos", _SECURE) from error
    return HTTPSPNEGOAuth()


def _queues(queue: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The queues below ``queue`` that have no queues below them; itself if it is such a queue. Reads the answers of the
    capacity scheduler and of the fair scheduler."""
    if "rootQueue" in queue:
        queue = queue["rootQueue"]
    children = (queue.get("queues") or {}).get("queue") or (queue.get("childQueues") or {}).get("queue") or []
    if not children and "queueName" in queue:
        yield queue
    for child in children:
        yield from _queues(child)


def _cores(node: dict[str, Any]) -> int:
    """How many cores a NodeManager has, free and used ones."""
    return int(node.get("availableVirtualCores", 0)) + int(node.get("usedVirtualCores", 0))


def _application(item: dict[str, Any]) -> Application:
    tags = frozenset(str(item.get("applicationTags", "")).split(",")) - {""}
    return Application(
        item["id"],
        item["name"],
        item["state"],
        item["finalStatus"],
        tags,
        str(item.get("diagnostics", "")),
        int(item.get("runningContainers", 0)),
    )


def _why(error: Exception) -> str:
    """The cause in a line, without the address: it may have a password in it."""
    if isinstance(error, _NO_ADDRESS):
        return "this is no address"
    return "no connection" if isinstance(error, requests.ConnectionError) else in_a_line(error)

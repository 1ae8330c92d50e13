"""Hadoop's client configuration: reads the XML files in the folder that HADOOP_CONF_DIR names, without a JVM.

Source: https://hadoop.apache.org/docs/stable/ (core-default, hdfs-default, yarn-default).
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.core.errors import MachineError
from resources.machine.addresses import without_secrets

FILES = ("core-site.xml", "hdfs-site.xml", "yarn-site.xml")
HOW = "Set HADOOP_CONF_DIR to the folder with the cluster's core-site.xml, hdfs-site.xml and yarn-site.xml."
CONNECT_SECONDS = 5.0
NAMENODE_PORT, RM_WEB_PORT, RM_WEB_TLS_PORT = 8020, 8088, 8090
"""Hadoop's default ports."""
_REFERENCE = re.compile(r"\$\{([^}$\s]+)\}")
_DIGITS_OF_A_PORT = 5
_DEPTH = 20
"""At most this many times references in a value are replaced, as a replaced value may have references again."""


@dataclass(frozen=True)
class HadoopConf:
    """The properties of a client configuration."""

    folder: Path
    """The folder of its files."""
    properties: Mapping[str, str]
    """Name → value, as written: references to other properties are not replaced."""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> HadoopConf:
        """The configuration in the folder that HADOOP_CONF_DIR, or YARN_CONF_DIR, names. environment: None: that of
        this process. Raises MachineError where there is none."""
        environment = os.environ if environment is None else environment
        name = environment.get("HADOOP_CONF_DIR") or environment.get("YARN_CONF_DIR")
        if not name:
            raise MachineError("HADOOP_CONF_DIR is not set", HOW)
        folder = Path(name)
        if not (folder / "core-site.xml").is_file():
            raise MachineError(f"HADOOP_CONF_DIR is {folder}, and there is no core-site.xml in it", HOW)
        properties: dict[str, str] = {}
        for file in FILES:
            if (folder / file).is_file():
                properties |= _read(folder / file)
        return cls(folder, properties)

    def get(self, name: str, default: str = "") -> str:
        """The value of a property. References like ``${user.home}`` are replaced by the values of properties, or of
        environment variables, as Hadoop does."""
        text = self.properties.get(name, default)
        for _ in range(_DEPTH):
            replaced = _REFERENCE.sub(lambda found: self.properties.get(found[1], os.environ.get(found[1], "")), text)
            if replaced == text:
                break
            text = replaced
        return text.strip()

    @property
    def default_fs(self) -> str:
        """The URI of the cluster's file system, for instance ``hdfs://namenode:8020``. Raises MachineError where none
        is set, or one of this machine."""
        uri = self.get("fs.defaultFS") or self.get("fs.default.name")
        try:
            parts = urlsplit(uri)
            parts.port  # noqa: B018 (raises for what is none)
        except ValueError:
            raise MachineError(
                f"{self.folder}/core-site.xml: fs.defaultFS, {without_secrets(uri)}, has no host or port to read",
                "Correct it there, to one like hdfs://namenode:8020.",
            ) from None
        if parts.scheme in ("", "file"):
            raise MachineError(f"{self.folder}/core-site.xml names no cluster: fs.defaultFS is {uri or 'not set'}", HOW)
        return uri.rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether the cluster requires Kerberos."""
        return self.get("hadoop.security.authentication", "simple").lower() == "kerberos"

    def namenodes(self, uri: str) -> list[tuple[str, int]]:
        """(host, port) of the NameNodes of an ``hdfs://`` URI: of one, or of all in a name service."""
        service = urlsplit(uri).netloc or urlsplit(self.default_fs).netloc
        names = [name.strip() for name in self.get(f"dfs.ha.namenodes.{service}").split(",") if name.strip()]
        places = [self.get(f"dfs.namenode.rpc-address.{service}.{name}") for name in names] or [service]
        return [_host_and_port(place, NAMENODE_PORT) for place in places if place]

    def resource_managers(self) -> list[str]:
        """The URLs of the ResourceManagers' web addresses; the variable YARN_RM_URL overrides the files. Raises
        MachineError where none is configured."""
        if url := os.environ.get("YARN_RM_URL"):
            return [url.rstrip("/")]
        tls = self.get("yarn.http.policy").upper() == "HTTPS_ONLY"
        key, port = ("webapp.https.address", RM_WEB_TLS_PORT) if tls else ("webapp.address", RM_WEB_PORT)
        ids = [""]
        if self.get("yarn.resourcemanager.ha.enabled").lower() == "true":
            ids = [f".{name.strip()}" for name in self.get("yarn.resourcemanager.ha.rm-ids").split(",")]
        found = []
        for suffix in ids:
            address = self.get(f"yarn.resourcemanager.{key}{suffix}")
            host = self.get(f"yarn.resourcemanager.hostname{suffix}")
            if address or host:
                at, number = _host_and_port(address or host, port)
                found.append(f"{'https' if tls else 'http'}://{at}:{number}")
        if not found:
            raise MachineError(
                f"{self.folder}/yarn-site.xml names no ResourceManager (yarn.resourcemanager.hostname)",
                f"{HOW} Or set YARN_RM_URL.",
            )
        return found


def user_name(environment: Mapping[str, str] | None = None) -> str:
    """The user as whom this process acts on a cluster without Kerberos. Raises MachineError where this machine knows no
    name of its user. environment: None: that of this process."""
    environment = os.environ if environment is None else environment
    try:
        return environment.get("HADOOP_USER_NAME") or getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user whom its machine does not know
        raise MachineError(
            f"this machine knows no name of user {os.getuid()}", "Set HADOOP_USER_NAME to the one on the cluster."
        ) from None


def check_reachable(conf: HadoopConf, uri: str) -> None:
    """Raises MachineError where no NameNode of ``uri`` accepts a connection within ``CONNECT_SECONDS``."""
    places = conf.namenodes(uri)
    for host, port in places:
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except (OSError, OverflowError, UnicodeError):  # a port out of bounds, a name that is none
            continue
        return
    shown = ", ".join(f"{host}:{port}" for host, port in places)
    raise MachineError(
        f"HDFS is out of reach: no NameNode takes a connection at {shown}",
        "Check that HDFS runs, and fs.defaultFS in core-site.xml.",
    )


def _read(path: Path) -> dict[str, str]:
    """Name → value of the properties in a file. Raises MachineError where it cannot be read."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 (the administrator's own file)
    except (OSError, ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:  # of encodings too
        raise MachineError(f"{path} cannot be read ({error})", HOW) from error
    found = {}
    for item in root.iter("property"):
        name, value = item.findtext("name"), item.findtext("value")
        if name and value is not None:
            found[name.strip()] = value.strip()
    return found


def _host_and_port(place: str, default: int) -> tuple[str, int]:
    host, _, port = place.partition(":")
    return host, int(port) if port.isdecimal() and len(port) <= _DIGITS_OF_A_PORT else default

"""Counts the DataNodes of a cluster that are gone: asks the NameNode's web address."""

from __future__ import annotations

from urllib.parse import urlsplit

from orchestration.core.errors import MachineError
from resources.hadoop.configuration import HadoopConf
from resources.machine.proxies import for_requests

BEANS = ("FSNamesystemState", "FSNamesystem")
GONE = ("NumDeadDataNodes", "StaleDataNodes")
"""The NameNode's counts of DataNodes that it has not heard of for ten minutes (dead), or for half a minute (stale).
DataNodes that were decommissioned are in neither."""
SECONDS = 5.0


def datanodes_gone(uri: str) -> int:
    """How many DataNodes of the cluster of ``uri`` are dead or stale; 0 where that cannot be asked.

    It cannot be asked where the web address requires Kerberos, shows a certificate that this machine does not accept,
    or is not set: dfs.namenode.https-address where dfs.http.policy is HTTPS_ONLY, else dfs.namenode.http-address.
    """
    try:
        conf = HadoopConf.load()
    except MachineError:
        return 0
    service = urlsplit(uri).netloc
    names = [name.strip() for name in conf.get(f"dfs.ha.namenodes.{service}").split(",") if name.strip()]
    scheme = "https" if conf.get("dfs.http.policy").upper() == "HTTPS_ONLY" else "http"
    key = f"dfs.namenode.{scheme}-address"
    keys = [f"{key}.{service}.{name}" for name in names] or [key]
    return max((_gone(f"{scheme}://{address}") for key in keys if (address := conf.get(key))), default=0)


def _gone(root: str) -> int:
    """How many DataNodes are dead or stale, as the NameNode at ``http://host:port`` or ``https://host:port`` says; 0
    where it does not answer."""
    import requests

    dead_and_stale = 0
    for bean in BEANS:
        url, query = f"{root}/jmx", {"qry": f"Hadoop:service=NameNode,name={bean}"}
        try:
            answer = requests.get(url, params=query, timeout=SECONDS, proxies=for_requests(url))
            beans = answer.json().get("beans", []) if answer.ok else []
            dead_and_stale += sum(
                int(one[name]) for one in beans for name in GONE if name in one and one["name"].endswith(f"={bean}")
            )
        except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return 0
    return dead_and_stale

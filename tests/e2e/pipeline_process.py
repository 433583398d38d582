"""`main.py run` as a process, with its status page; and the brokers read by plain clients."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import redis

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "kill-test-token"
_ADDRESS = re.compile(r"http://(127\.0\.0\.1:\d+)/status")


class PipelineProcess:
    """Started on enter; killed on exit if it still runs. `output` is everything that it printed."""

    def __init__(self, config: Path, start_seconds: float = 300.0) -> None:
        self._config = config
        self._start_seconds = start_seconds
        self.output: list[str] = []
        self.address = ""
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        environment = {**os.environ, "CONTROL_TOKEN": TOKEN}
        self._process = subprocess.Popen(
            [sys.executable, "main.py", "run", str(self._config)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(self._start_seconds), f"not up in time:\n{self.text}"
        assert self.address, f"ended while it started:\n{self.text}"
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._reader.join(10)

    @property
    def text(self) -> str:
        return "".join(self.output)

    @property
    def pid(self) -> int:
        return self._process.pid

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path)

    def post(self, path: str, **asked: object) -> tuple[int, dict]:
        status, body = self._ask("POST", path, json.dumps(asked))
        return status, json.loads(body)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> dict:
        code, body = self.get("/status")
        assert code == 200, (code, body)
        return json.loads(body)

    def signal(self, number: int) -> None:
        """Sends it and does not wait."""
        self._process.send_signal(number)

    def wait(self, timeout_seconds: float = 60.0) -> int:
        """The exit status."""
        code = self._process.wait(timeout_seconds)
        self._reader.join(10)
        return code

    def terminate(self, timeout_seconds: float = 90.0) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(timeout_seconds)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if (found := _ADDRESS.search(line)) is not None:
                self.address = found[1]
                self._ready.set()
        self._ready.set()


def stream(client: redis.Redis, name: str) -> list[tuple[str, str, dict]]:
    """(ce_id, ce_type, body) of every entry of a stream, oldest first."""
    return [
        (fields[b"ce_id"].decode(), fields[b"ce_type"].decode(), json.loads(fields[b"data"]))
        for _, fields in client.xrange(name)
    ]

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.messages import Kind
from pipeline.sinks.base import Sink
from pipeline.sinks.config import JsonlSinkConfig
from pipeline.sinks.jsonl import JsonLines
from pipeline.sinks.names import destinations
from pipeline.sinks.queued import QueuedSink
from tests.contract.sink_contract import Event, SinkContract, running
from tests.fakes_sinks import FakeBroker, message, results


class TestFake(SinkContract):
    @pytest.fixture(autouse=True)
    def _broker(self) -> None:
        self.broker = FakeBroker()

    def make(self, queue_bytes: int = 2**22) -> Sink:
        return QueuedSink(self.broker, queue_bytes)

    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        self.broker.is_up = False
        return QueuedSink(self.broker, queue_bytes)

    def read(self, kind: Kind, camera: str) -> list[Event]:
        return [
            Event(one.id, one.attributes, one.body)
            for one in self.broker.received
            if one.kind == kind and one.camera == camera
        ]


class TestJsonLines(SinkContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "events"

    def make(self, queue_bytes: int = 2**22) -> Sink:
        return QueuedSink(JsonLines(JsonlSinkConfig(path=str(self.folder))), queue_bytes)

    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        self.folder.write_text("a file stands where the folder should be")
        return QueuedSink(JsonLines(JsonlSinkConfig(path=str(self.folder))), queue_bytes)

    def read(self, kind: Kind, camera: str) -> list[Event]:
        events: list[Event] = []
        for path in sorted(self.folder.glob(f"{destinations('', kind, camera).file}*.jsonl")):
            for line in path.read_bytes().splitlines():
                event = json.loads(line)
                body = json.dumps(event.pop("data"), separators=(",", ":")).encode()
                events.append(Event(event["id"], event, body))
        return [event for event in events if event.attributes["subject"] == camera]

    def test_rotates_by_bytes(self) -> None:
        config = JsonlSinkConfig(path=str(self.folder), rotate=20_000)
        for start in range(0, 100, 10):  # a sink each, so that none writes all in one batch
            sink = QueuedSink(JsonLines(config), 2**22)
            with running(sink) as settled:
                sink.put(results(start, 10, size_bytes=500))
                settled.await_number(10)
        files = sorted(self.folder.glob("results*.jsonl"))
        assert len(files) > 3
        assert all(path.stat().st_size <= 20_000 for path in files)
        numbers = [json.loads(line)["data"]["number"] for path in files for line in path.read_bytes().splitlines()]
        assert sorted(numbers) == list(range(100))

    def test_cuts_off_a_line_that_a_crash_left_torn(self) -> None:
        self.folder.mkdir()
        (self.folder / "alerts.jsonl").write_bytes(b'{"id":"whole"}\n{"id":"to')
        sink = self.make()
        with running(sink) as settled:
            sink.put([message("alert", 1)])
            settled.await_number(1)
        ids = [json.loads(line)["id"] for line in (self.folder / "alerts.jsonl").read_bytes().splitlines()]
        assert ids == ["whole", message("alert", 1).id]

    def test_a_body_with_line_breaks_stays_one_line(self) -> None:
        sink = self.make()
        with running(sink) as settled:
            sink.put([message("alert", 1, body=b'{\n "number": 1\n}')])
            settled.await_number(1)
        assert [event.body for event in self.read("alert", "dock-01")] == [b'{"number":1}']

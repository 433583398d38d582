"""Writes the golden messages: one per type of event, as the publisher of today says them.

Run `python -m tests.golden.wire.generate` from the root after a wanted change of the wire, and read the difference: a
field may come, none may go or change its meaning without a new `.v2`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from operators.results import ViewSample
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.frame_path.publisher.wire import wire_schema
from pipeline.messages import Delivery, Gone, Message, Picture, Status
from tests.fakes_publisher import CAMERA, GRID, START_NS, HandSink, camera, frame, publisher, reused, rule, tick

HERE = Path(__file__).parent


def messages(folder: Path) -> dict[str, Message]:
    """One message of every type by the golden file's name."""
    sink = HandSink()
    wish = {"snapshot": True, "history": "1s"}
    watched = rule(evidence=wish, on_unknown="clear", **{"in": "apron", "of": {"head": "vehicles", "is": ["forklift"]}})
    made = publisher(folder, [camera(too_close=watched), camera("archive", is_replayable=True)], [sink])
    made.publish(Delivery((Status(CAMERA, 17, "live", START_NS, details={"codec": "h264", "fps": 25.0}),)))
    made.publish(Delivery(tuple(_samples())))
    made.publish(Delivery(tuple(frame(seq, 2.5, preview=b"jpeg") for seq in range(41, 45))))
    made.publish(Delivery((reused(45, 44), frame(46, 2.25))))
    start = next(each for each in sink.seen if each.type == "dinostream.alert.start.v1")
    ticket = frame(44, None).ticket
    made.publish(Delivery((), (Picture(start.id, ticket, b"full size"),)))
    made.turn()
    for asked in _asked(start.id):
        made.act(CAMERA, asked)
    made.publish(Delivery((tick(9.6, "stalled"),)))
    made.publish(Delivery((Gone(frame(7, None, name="archive", epoch=0).ticket, "undecodable: no picture"),)))
    made.close(1.0)
    return dict(_named(sink.seen))


def _samples() -> Iterator[object]:
    tokens = np.zeros((GRID[0] * GRID[1], 8), np.float16)
    tokens[:, 0] = 1
    for seq in range(0, 50, 10):
        yield frame(seq, None, view_sample=ViewSample(np.full(GRID, 1.75, np.float16), tokens, 100.0))


def _asked(alert: str) -> Iterator[ActionRequest]:
    yield ActionRequest(action="mute", by="anna", reason="crane works", for_seconds=7200.0)
    yield ActionRequest(action="unmute", by="anna")
    yield ActionRequest(action="ack", by="bo", reason="on my way", alert=alert)
    yield ActionRequest(action="disarm", by="anna", rule="too_close", for_seconds=600.0)
    yield ActionRequest(action="arm", by="anna", rule="too_close")


def _named(seen: list[Message]) -> Iterator[tuple[str, Message]]:
    names = {
        "dock-03/17/44/result": "result",
        "dock-03/17/45/result": "result_reused",
        "dock-03/status/1": "status",
        "dock-03/scene/view/dock-03@1": "scene",
        "dock-03/too_close/1/start": "alert_start",
        "dock-03/too_close/1/start/evidence": "alert_evidence",
        "dock-03/too_close/1/end": "alert_end",
        "dock-03/too_close/1/state/start": "alert_state",
        "dock-03/too_close/1/state/end": "alert_state_tombstone",
        "dock-03/action/1/mute": "alert_mute",
        "dock-03/action/2/unmute": "alert_unmute",
        "dock-03/action/3/ack": "alert_ack",
        "dock-03/action/4/disarm": "alert_disarm",
        "dock-03/action/5/arm": "alert_arm",
        "dock-03/too_close/1/state/action-3": "alert_state_acknowledged",
        "archive/0/7/result/dead_letter": "dead_letter",
    }
    for message in seen:
        if message.id in names:
            yield names[message.id], message
        elif message.id.startswith("dock-03/tick/"):
            yield "result_tick", message


def written(message: Message, folder: Path) -> str:
    """A golden file: what a broker carries, readable, without the folder of the day."""
    body = msgspec.json.decode(message.body) if message.body else None
    whole = {"key": message.key, "attributes": message.attributes, "data": body}
    return json.dumps(whole, indent=1, sort_keys=True).replace(str(folder), "STATE") + "\n"


def main() -> None:
    """Rewrites every golden file and the schema."""
    with tempfile.TemporaryDirectory() as folder:
        for name, message in messages(Path(folder)).items():
            (HERE / f"{name}.json").write_text(written(message, Path(folder)))
    (HERE / "schema.json").write_text(json.dumps(wire_schema(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

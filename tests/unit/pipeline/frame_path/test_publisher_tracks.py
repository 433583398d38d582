"""What a subject is called in results and by rules: its track's vote, over restarts and gated frames."""

from __future__ import annotations

from dataclasses import replace

from operators.results import Label
from pipeline.messages import Analysed, Delivery
from tests.fakes_publisher import CAMERA, HandSink, body, camera, frame, ids, publisher, reused, rule

FORKLIFTS = rule(of={"head": "vehicles", "is": ["forklift"]})


def called(seq: int, name: str, *, lease: int = 17) -> Analysed:
    """A frame in which the subject at 2.5 m is called `name`."""
    entry = frame(seq, 2.5, lease=lease)
    (subject,) = entry.analysis.subjects
    label = Label("vehicles", ((name, 0.9), ("truck", 0.1)))
    return Analysed(replace(entry.analysis, subjects=(replace(subject, labels=(label,)),)), entry.drops)


def names(sink: HandSink) -> list[tuple[int, str]]:
    """(track, name) of the subject of each result."""
    subjects = [body(each)["subjects"][0] for each in sink.seen if each.kind == "result"]
    return [(each["track"], each["labels"]["vehicles"]["name"]) for each in subjects]


def test_one_wrong_frame_neither_shows_nor_breaks_a_rules_hold(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=FORKLIFTS)], [sink])
    said = ["forklift", "forklift", "person", "forklift", "forklift"]
    made.publish(Delivery(tuple(called(seq, name) for seq, name in enumerate(said))))
    assert names(sink) == [(1, "forklift")] * 5
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    made.close(1.0)


def test_the_vote_survives_the_publisher(tmp_path):
    made = publisher(tmp_path, [camera(too_close=FORKLIFTS)], [HandSink()])
    made.publish(Delivery((called(0, "forklift"), called(1, "forklift"))))
    made.close(1.0)
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=FORKLIFTS)], [sink])
    made.attach(CAMERA, 18)
    sink.seen.clear()
    made.publish(Delivery((called(2, "person", lease=18),)))
    assert names(sink) == [(1, "forklift")]
    made.close(1.0)


def test_gated_frames_show_the_vote_and_do_not_add_to_it(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=FORKLIFTS)], [sink])
    made.publish(Delivery((called(0, "forklift"), called(1, "forklift"), called(2, "person"))))
    made.publish(Delivery(tuple(reused(seq, of=2) for seq in range(3, 20))))
    made.publish(Delivery((called(20, "person"),)))
    assert names(sink) == [(1, "forklift")] * 20 + [(1, "person")]
    made.close(1.0)

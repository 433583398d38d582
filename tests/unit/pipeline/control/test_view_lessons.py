"""`POST /scene/learn` on a real publisher, whose camera sends frames once it is asked for them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from operators.results import ViewSample
from pipeline.control.serving.http import build_app
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.control.view_lessons import ViewLessons
from pipeline.messages import Delivery
from tests.fakes_publisher import CAMERA, GRID, HandSink, camera, frame, publisher

TOKEN = "a token"


class Clock:
    """Every wait is a quarter of a second long, at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return event.is_set()


class Worker:
    """The publisher as its actor shows it; `num_frames` come when a view is to be taught."""

    def __init__(self, made: Any, num_frames: int) -> None:
        self._made, self._num_frames = made, num_frames

    def call(self, method: str, *args: Any, timeout_seconds: float = 1.0) -> Any:
        del timeout_seconds
        if method != "teach_view":
            return getattr(self._made, method)(*args)
        name, seconds, is_anew = args
        self._made.teach_view(name, seconds, is_anew=is_anew)
        tokens = np.ones((GRID[0] * GRID[1], 8), np.float16) / np.sqrt(8)
        for seq in range(self._num_frames):
            sample = ViewSample(np.full(GRID, 1.5, np.float16), tokens.astype(np.float16), 100.0)
            self._made.publish(Delivery((frame(seq * 10, None, view_sample=sample),)))
        return None


@pytest.fixture
def asked(tmp_path):
    """Posts a request to a pipeline whose camera sends so many frames."""
    made = publisher(tmp_path, [camera()], [HandSink()])

    def post(num_frames: int = 5, token: str = TOKEN, **request: Any) -> tuple[int, dict[str, Any]]:
        crew = SimpleNamespace(publisher_of=lambda _name: Worker(made, num_frames))
        config: Any = SimpleNamespace(cameras={CAMERA: None})
        lessons = ViewLessons(lambda: config, tmp_path / "state/artefacts", crew, Clock(), threading.Event())
        app = build_app(lambda: PipelineSnapshot("yard", 0), frozenset(), TOKEN, learn=lessons.learn)
        body = {"camera": CAMERA, "seconds": 10.0, **request}
        answer = TestClient(app).post("/scene/learn", json=body, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()

    yield post
    made.close(1.0)


def test_a_lesson_answers_with_the_version_that_it_made(asked):
    assert asked() == (200, {"view": f"view/{CAMERA}@1", "lights": 1})


def test_a_camera_that_sends_too_little_is_one_sentence(asked):
    status, said = asked(num_frames=2)
    assert status == 422
    assert said["detail"].startswith("dock-03 showed too few pictures within 30 s: expected five")


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"camera": "dock-3"}, 404, "unknown camera 'dock-3': expected one of dock-03"),
        ({"seconds": 9999.0}, 422, "seconds: expected 2 to 600, got 9999"),
        ({"second": 1}, 422, "wrong request: "),
        ({"token": "another"}, 401, "expected the header Authorization: Bearer TOKEN"),
    ],
)
def test_a_lesson_that_cannot_be_is_one_sentence(asked, request_, status, said):
    found, body = asked(**request_)
    assert found == status
    assert body["detail"].startswith(said)

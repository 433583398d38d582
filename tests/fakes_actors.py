"""Actors that answer, hang and die on command, and who starts them; no Ray."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

from operators.results import ModelInfo
from pipeline.control.actors.publish_spec import Promised
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.publisher import PublisherSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot
from tests.fakes import FakeClock

MODEL = ModelInfo("dinov2_vits14", "random", "s" * 64, "apache-2.0")


class SteppingClock(FakeClock):
    """Waiting takes the time that was asked for, and none of ours."""

    def wait(self, event, seconds):
        self.advance(seconds)
        return event.is_set()


def named(ledgers):
    return {each.camera for each in ledgers}


class FakeActor:
    """Answers at once unless told otherwise."""

    def __init__(self, number, name, diary, leases):
        self.number, self.name, self.actor, self.leases = number, name, f"{name}#{number}", leases
        self.diary = diary
        self.pulses = []
        self.ledgers = {}
        self.use = None
        self.reading_cores = {}
        self.settled = {}
        self.resumes = {}
        self.process_bytes = None
        self.failure = None
        self.is_hung = False
        self.answer_seconds = 0.0
        self.is_clean = True
        self._asked_at = None

    def first_answer(self):
        self._fail()
        return None if self.is_hung else 1000 + self.number

    def ask(self, method, now):
        self.pulses.append((self.actor, "ask", method))

    def pulse(self, method, limit_seconds, now, patience_seconds=0.0):
        self.pulses.append((self.actor, "pulse", method))
        self._fail()
        self._asked_at = now if self._asked_at is None else self._asked_at
        if not self.is_hung:
            self._asked_at = None
            return self._answer(method)
        if now - self._asked_at > limit_seconds:
            raise PipelineError(f"no answer for {limit_seconds:g} s", code="timeout", where=self.name)
        return None

    def call(self, method, *args, timeout_seconds=15.0):
        self._fail()
        self.diary.append((self.actor, method, args))
        self._wait(timeout_seconds)
        return self._answer(method)

    def begin(self, method, *args):
        self.diary.append((self.actor, method, args))
        if method == "add_feeds":
            self.leases |= {each.camera: each.lease for feed in args[0] for each in feed.cameras}
        if method == "remove_feeds":
            return [self.ledger(camera) for camera in args[0]]
        return method

    def is_answered(self, answer):
        return not self.is_hung

    def collect(self, answer, timeout_seconds):
        self._fail()
        self._wait(timeout_seconds)
        if isinstance(answer, list):
            self.leases = {camera: lease for camera, lease in self.leases.items() if camera not in named(answer)}
            return answer
        return self.is_clean

    def kill(self):
        self.diary.append((self.actor, "kill", ()))

    def ledger(self, camera):
        return self.ledgers.get(camera, LedgerSnapshot(camera, self.leases[camera]))

    def _wait(self, timeout_seconds):
        if self.is_hung or self.answer_seconds > timeout_seconds:
            raise PipelineError(f"no answer within {timeout_seconds:g} s", code="timeout", where=self.name)

    def _fail(self):
        if self.failure is not None:
            raise self.failure

    def _answer(self, method):
        if method == "beat":
            return [
                CameraSnapshot(
                    *(camera, lease, "live", 0, self.ledger(camera)),
                    reading_cores=self.reading_cores.get(camera),
                    reading_wants=self.reading_cores.get(camera),
                    process_bytes=self.process_bytes,
                    settled=self.settled.get(camera, ""),
                )
                for camera, lease in self.leases.items()
            ]
        if method == "use":
            return self.use
        return {"about": MODEL, "snapshot": PublisherSnapshot(), "close": PublisherSnapshot()}.get(method)


class FakeStarters:
    """Starts fakes; `prepare` changes one before anybody calls it."""

    def __init__(self):
        self.diary = []
        self.pulses = []
        self.started = []
        self.prepare = lambda _: None

    def start_analyzer(self, spec, plan, calls):
        return self._start(plan.name, spec=spec)

    def start_publisher(self, spec, model, calls):
        assert model in (MODEL, Promised("about"))
        return self._start(spec.name, spec=spec)

    def start_decoder(self, plan, feeds, state_dir, limits):
        actor = self._start(plan.name, {each.camera: each.lease for feed in feeds for each in feed.cameras})
        actor.resumes = {camera: resume for feed in feeds for camera, resume in feed.resume.items()}
        return actor

    def _start(self, name, leases=None, spec=None):
        actor = FakeActor(len(self.started), name, self.diary, leases or {})
        actor.spec, actor.pulses = spec, self.pulses
        self.prepare(actor)
        self.started.append(actor)
        return actor

    def newest(self, name):
        return next(each for each in reversed(self.started) if each.name == name)

    def count(self, name):
        return sum(each.name == name for each in self.started)

    def did(self, method):
        return [(actor, args) for actor, what, args in self.diary if what == method]


def dead():
    return PipelineError("the actor is gone", code="died")


def steps(supervisor, clock, seconds):
    """One step a second."""
    for _ in range(seconds):
        clock.advance(1.0)
        supervisor.step()

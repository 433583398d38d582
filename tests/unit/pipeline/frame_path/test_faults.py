"""Random schedules of faults on a fake clock: whatever happens, every frame has exactly one end, in order.

The parts are the real ones, driven step by step on one thread instead of by their own.
"""

import random
import threading

import pytest

from pipeline.errors import AnalyzeError, PublishError
from pipeline.frame_path.owner.admission import Admission
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.config import GateConfig, SampleConfig
from pipeline.frame_path.owner.dispatch import Dispatch, Seat
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.ledger import read_ledger
from pipeline.frame_path.owner.publish_lane import PublishLane
from pipeline.frame_path.owner.reader_watch import ReaderWatch
from pipeline.messages import Gone
from pipeline.sources.base import Decoded, Undecodable
from tests.fakes import BrokenPicture, FakeAnalyzer, FakeClock, FakePublisher, PlainPicture, PublisherState, owned

GATED = SampleConfig(fps=8.0, max_age=0.6, gate=GateConfig(refresh=2.0))
CAMERAS = (
    owned("dock-03", sample=GATED, wants_evidence=True),
    owned("yard-01", sample=SampleConfig(max_age=0.4)),
    owned("archive", is_replayable=True, sample=SampleConfig(fps=12.0)),
)


class Schedule:
    """One owner's parts, and every fault that can befall them."""

    def __init__(self, tmp_path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = FakeClock()
        self.guard = threading.Condition()
        self.flows = {each.camera: CameraFlow(each, tmp_path, self.clock) for each in CAMERAS}
        self.admissions = {each.camera: self._admission(each) for each in CAMERAS}
        self.analyzers = [FakeAnalyzer("analyze-0"), FakeAnalyzer("analyze-1")]
        self.dispatch = Dispatch(
            self.flows, BatchLimits(max_batch_size=3), self.guard, self.clock, on_news=lambda: None
        )
        self.dispatch._seats = [Seat(each) for each in self.analyzers]
        self.state = PublisherState()
        self.publisher = FakePublisher(self.state)
        self.publisher.settles = False
        self.committed: list[str] = []
        self.lane = PublishLane(self.publisher, self.guard, self.clock, self._on_receipt)
        for flow in self.flows.values():
            self.lane.add(flow)
        self.held: list[tuple[Seat, list]] = []
        self.next_seq = self.newest_seq = 0
        self.grey = 0

    def _admission(self, each) -> Admission:
        flows = {each.camera: self.flows[each.camera]}
        watch = ReaderWatch(FeedPlan((each,), lambda: None), flows, self.clock)
        return Admission(flows, self.guard, self.clock, watch=watch, stop=threading.Event(), on_news=lambda: None)

    def _on_receipt(self, settled: dict[str, list[str]]) -> None:
        self.committed += [each for moved in settled.values() for each in moved]

    # --- what can happen ----------------------------------------------------------------------------------------

    def live_frame(self) -> None:
        camera = self.rng.choice(("dock-03", "yard-01"))
        if not self.flows[camera].attached.is_set():
            return
        self.grey += self.rng.choice((0, 0, 60))
        picture = BrokenPicture() if self.rng.random() < 0.03 else PlainPicture(self.grey)
        self.admissions[camera].decoded(Decoded(camera, picture, None, None, None, None, None, "arrival", 0), None)

    def file_frame(self) -> None:
        flow = self.flows["archive"]
        if not flow.attached.is_set() or not flow.has_room:
            return
        if self.rng.random() < 0.05:  # the source is opened again, a little earlier
            self.next_seq = max(0, self.next_seq - self.rng.randint(1, 20))
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        if seq % 53 == 17:
            self.admissions["archive"].undecodable(Undecodable("archive", "rubbish", 0, seq, f"0:{seq}"))
            return
        pts_ns = seq * 40_000_000
        self.admissions["archive"].decoded(
            Decoded("archive", PlainPicture(seq), 0, seq, pts_ns, pts_ns, None, "container", 0, f"0:{seq}"), None
        )

    def take(self) -> None:
        seat = self.rng.choice(self.dispatch._seats)
        with self.guard:
            batch = self.dispatch._next(seat)
        if batch:
            self.held.append((seat, batch))

    def finish(self) -> None:
        if not self.held:
            return
        seat, batch = self.held.pop(self.rng.randrange(len(self.held)))
        code = self.rng.choice((*[None] * 9, "died", "timeout", "failed"))
        seat.handle.faults = [AnalyzeError("no", code=code) if code else None]
        self.dispatch._analyze(seat, batch)

    def publish(self) -> None:
        fate = self.rng.random()
        self.publisher.faults = [PublishError("no", code="died")] if fate < 0.1 else []
        self.publisher.late_faults = [PublishError("no", code="timeout")] if 0.1 < fate < 0.2 else []
        self.lane._step()

    def replace_publisher(self) -> None:
        if self.rng.random() < 0.2:
            self.publisher.is_dead = True
            self.publisher = FakePublisher(self.state)
            self.publisher.settles = False
            self.lane.offer(self.publisher)

    def settle(self) -> None:
        for camera, (epoch, seq) in self.state.accepted.items():
            known = self.state.settled.get(camera, (epoch, -1))
            self.state.settled[camera] = (epoch, self.rng.randint(known[1], seq))

    def wants(self) -> None:
        armed, sample_wanted = self.publisher.armed, self.publisher.sample_wanted
        (armed.add if self.rng.random() < 0.3 else armed.discard)("dock-03")
        (sample_wanted.add if self.rng.random() < 0.3 else sample_wanted.discard)("yard-01")

    def pass_time(self) -> None:
        self.clock.advance(self.rng.choice((0.01, 0.03, 0.1, 0.8)))
        with self.guard:
            for flow in self.flows.values():
                flow.expire(self.clock.monotonic())
            self.dispatch.expire()

    def run(self, steps: int) -> None:
        frames = [self.live_frame, self.file_frame]
        others = [self.take, self.finish, self.publish, self.settle, self.pass_time, self.wants, self.replace_publisher]
        often = [self.take, self.finish, self.publish]
        for _ in range(steps):
            self.rng.choice(frames + others + often)()
            self.check()

    def check(self) -> None:
        for flow in self.flows.values():
            ledger = flow.book.ledger.snapshot()
            assert ledger.unaccounted == 0
            assert ledger.in_flight <= 300
        assert self.state.violations == []

    def heal(self) -> None:
        """All is well from here on; everything must come to its end."""
        self.publisher.settles = True
        for _ in range(400):
            if self.held:
                seat, batch = self.held.pop()
                seat.handle.faults = []
                self.dispatch._analyze(seat, batch)
            self.publisher.faults = self.publisher.late_faults = []
            self.take()
            self.lane._step()
            self.pass_time()
        self.check()


@pytest.mark.parametrize("seed", range(10))
def test_every_frame_has_one_end_and_comes_in_order_whatever_happens(tmp_path, seed):
    schedule = Schedule(tmp_path, seed)
    schedule.run(1500)
    schedule.heal()
    for flow in schedule.flows.values():
        ledger = flow.book.ledger.snapshot()
        assert flow.is_idle, flow.camera
        assert (ledger.in_flight, ledger.unaccounted) == (0, 0)
        assert read_ledger(flow.book.ledger.path) == ledger
        seen = len(schedule.state.ids(flow.camera))
        certain = ledger.analysed + ledger.gated
        assert certain <= seen <= certain + ledger.lost.get("publisher_died", 0)
        assert ledger.analysed >= 3, "the faults left something to do"
    _check_archive(schedule)


def _check_archive(schedule: Schedule) -> None:
    """Every frame of the replayable camera that was due is there, or says why it is not, exactly in order."""
    ledger = schedule.flows["archive"].book.ledger.snapshot()
    seen = schedule.state.ids("archive")
    assert seen == sorted(seen)
    gone = {each.ticket.position: each.reason for each in schedule.state.published if isinstance(each, Gone)}
    gone = {position: why for position, why in gone.items() if schedule.flows["archive"].lease and position[0] == 0}
    rubbish = [why for why in gone.values() if why.startswith("undecodable")]
    assert len(rubbish) == ledger.undecodable
    assert len(gone) - len(rubbish) == sum(ledger.lost.values())
    assert ledger.lost.get("publisher_died", 0) == 0
    assert ledger.replaced == ledger.stale == 0
    assert ledger.decoded == ledger.sampled_out + len(seen) + sum(ledger.lost.values())
    positions = [int(each.partition(":")[2]) for each in schedule.committed]
    assert positions == sorted(positions)
    assert positions[-1] >= max(seq for _, seq in seen)


def test_a_fence_in_the_middle_of_faults_ends_everything_of_that_camera_and_nothing_else(tmp_path):
    schedule = Schedule(tmp_path, 99)
    schedule.run(600)
    schedule.state.leases["yard-01"] = 1000
    schedule.run(600)
    schedule.heal()
    ledger = schedule.flows["yard-01"].book.ledger.snapshot()
    assert schedule.flows["yard-01"].is_over
    assert (ledger.in_flight, ledger.unaccounted) == (0, 0)
    assert schedule.flows["archive"].is_idle
    assert not schedule.flows["archive"].is_over

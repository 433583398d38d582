"""Doubles at our own protocols: a clock, a scripted feed, an analyzer and a publisher that can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.results import Analysis
from pipeline.errors import AnalyzeError, PublishError, SourceError
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.messages import (
    Analysed,
    ArtefactVersion,
    Attachment,
    CameraReceipt,
    Delivery,
    Entry,
    Gone,
    PictureWanted,
    Receipt,
    Reused,
    Status,
    Tick,
)
from pipeline.sources.base import Decoded, EndOfStream, Event, Quiet, SourceInfo, Undecodable

SHAPE = (28, 42)


class FakeClock:
    """Time moves only by `advance`; whoever waits is woken by it."""

    def __init__(self, wall_ns: int = 1_750_000_000_000_000_000) -> None:
        self._wall_ns = wall_ns
        self._seconds = 1000.0

    def wall_ns(self) -> int:
        return self._wall_ns

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        self._wall_ns += round(seconds * 1e9)

    def step_wall(self, seconds: float) -> None:
        """The machine's clock is set."""
        self._wall_ns += round(seconds * 1e9)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        deadline = self._seconds + seconds
        while not event.is_set() and self._seconds < deadline:
            event.wait(0.002)
        return event.is_set()


class PlainPicture:
    """One grey value all over, or the given array; `rgb` and `luma` resize by nearest neighbour."""

    def __init__(self, grey: int | np.ndarray = 0, size: tuple[int, int] = (36, 54)) -> None:
        self._rgb = grey if isinstance(grey, np.ndarray) else np.full((*size, 3), grey % 256, np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        return self._rgb.shape[0], self._rgb.shape[1]

    def rgb(self, size: tuple[int, int] | None = None) -> np.ndarray:
        if size is None:
            return self._rgb
        rows = np.arange(size[0]) * self._rgb.shape[0] // size[0]
        columns = np.arange(size[1]) * self._rgb.shape[1] // size[1]
        return self._rgb[rows][:, columns]

    def luma(self, size: tuple[int, int]) -> np.ndarray:
        return self.rgb(size)[:, :, 1]


class BrokenPicture(PlainPicture):
    """Decodes, but cannot be converted."""

    def luma(self, size: tuple[int, int]) -> np.ndarray:
        raise SourceError(f"half a picture where {size} was asked for", code="corrupt")


# --- a feed ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Show:
    """Some frames."""

    count: int = 1
    grey: int | None = None
    """None: each frame differs from the one before."""
    picture: PlainPicture | None = None


@dataclass(frozen=True)
class Silence:
    """`Quiet` until the event is set or the reader stops."""

    until: threading.Event


@dataclass(frozen=True)
class Hang:
    """Yields nothing at all and ignores `stop`, until the event is set."""

    until: threading.Event


@dataclass(frozen=True)
class Fault:
    """The stream fails, once."""

    error: Exception


@dataclass(frozen=True)
class Rubbish:
    """Something that is no picture."""


@dataclass(frozen=True)
class End:
    """The source is finished."""


Step = Show | Silence | Hang | Fault | Rubbish | End


@dataclass
class Script:
    """What a camera does, over all times that it is opened. Replayable: positions are `0:seq`, as of a file."""

    camera: str
    steps: Sequence[Step]
    is_replayable: bool = False
    fps: float = 10.0
    refusals: list[SourceError] = field(default_factory=list)
    """Raised by the next calls of `open`, one each."""
    pause: Callable[[], None] = lambda: None
    """Called before each frame."""
    opened: list[dict[str, str]] = field(default_factory=list)
    committed: list[dict[str, str]] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    """Steps that happen only once and are over."""

    def feed(self) -> ScriptedFeed:
        return ScriptedFeed(self)


class ScriptedFeed:
    """A feed of one camera that follows a script. Live: goes on after a fault where it was."""

    def __init__(self, script: Script) -> None:
        self.cameras = (script.camera,)
        self.is_replayable = script.is_replayable
        self.is_closed = False
        self._script = script
        self._first = 0

    def open(self, resume: dict[str, str]) -> SourceInfo:
        self._script.opened.append(dict(resume))
        if self._script.refusals:
            raise self._script.refusals.pop(0)
        position = resume.get(self._script.camera)
        self._first = int(position.partition(":")[2]) if position else 0
        return SourceInfo("scripted", (36, 54), self._script.fps)

    def events(self, stop: threading.Event) -> Iterator[Event]:
        seq = 0
        for number, step in enumerate(self._script.steps):
            if stop.is_set():
                return
            match step:
                case Show():
                    yield from self._show(step, number, seq, stop)
                    seq += step.count
                case Rubbish():
                    if self._is_new(number, seq):
                        self._script.done.add(number)
                        yield self._rubbish(seq)
                    seq += 1
                case Silence():
                    while not step.until.is_set() and not stop.is_set():
                        yield Quiet()
                        step.until.wait(0.002)
                case Hang():
                    step.until.wait()
                case Fault():
                    if number not in self._script.done:
                        self._script.done.add(number)
                        raise step.error
                case End():
                    yield EndOfStream(self._script.camera)
                    return

    def commit(self, positions: dict[str, str]) -> None:
        self._script.committed.append(dict(positions))

    def close(self) -> None:
        self.is_closed = True

    def _is_new(self, number: int, seq: int) -> bool:
        return seq >= self._first if self.is_replayable else number not in self._script.done

    def _rubbish(self, seq: int) -> Undecodable:
        if not self.is_replayable:
            return Undecodable(self._script.camera, "rubbish")
        return Undecodable(self._script.camera, "rubbish", 0, seq, f"0:{seq}")

    def _show(self, step: Show, number: int, first: int, stop: threading.Event) -> Iterator[Event]:
        if not self.is_replayable and number in self._script.done:
            return
        self._script.done.add(number)
        for seq in range(first, first + step.count):
            if stop.is_set():
                return
            if self.is_replayable and seq < self._first:
                continue
            self._script.pause()
            yield self._frame(step, seq)

    def _frame(self, step: Show, seq: int) -> Decoded:
        grey = 40 + 37 * seq if step.grey is None else step.grey
        pts_ns = round(seq / self._script.fps * 1e9)
        return Decoded(
            camera=self._script.camera,
            picture=step.picture or PlainPicture(grey),
            epoch=0 if self.is_replayable else None,
            seq=seq if self.is_replayable else None,
            pts_ns=pts_ns,
            rule_time_ns=pts_ns if self.is_replayable else None,
            capture_ns=None,
            capture_clock="container" if self.is_replayable else "arrival",
            capture_uncertainty_ns=0,
            resume=f"0:{seq}" if self.is_replayable else None,
        )


# --- the two workers ------------------------------------------------------------------------------------------------


def analysis_of(item: Item) -> Analysis:
    """What the fake model says: a number that depends on the picture alone."""
    return Analysis(
        ticket=item.ticket,
        times=item.times,
        placement=item.placement,
        space="fake",
        embedding=np.array([item.pixels.mean()], np.float16),
        depth=None,
        labels=(),
        subjects=(),
        view=None,
        artefacts=item.artefacts,
    )


class FakeAnalyzer:
    """Answers at once, unless `faults` says otherwise: one entry a call, None is success."""

    def __init__(self, name: str = "analyze-0", faults: Sequence[Exception | None] = ()) -> None:
        self.name = name
        self.faults = list(faults)
        self.calls: list[tuple[Ticket, ...]] = []
        self.items: list[Item] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        if not self.may_answer.wait(timeout_seconds):
            raise AnalyzeError("too slow", code="timeout", where=self.name)
        self.calls.append(tuple(item.ticket for item in items))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.items += items
        return [analysis_of(item) for item in items]


@dataclass
class PublisherState:
    """What survives a publisher: leases, how far each camera is, and what consumers have seen."""

    leases: dict[str, int] = field(default_factory=dict)
    accepted: dict[str, tuple[int, int]] = field(default_factory=dict)
    settled: dict[str, tuple[int, int]] = field(default_factory=dict)
    rule_time_ns: dict[str, int] = field(default_factory=dict)
    published: list[Entry] = field(default_factory=list)
    """Frames in the order of publication, repeated ones again."""
    states: list[Status] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    pictures: list[object] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def ids(self, camera: str) -> list[tuple[int, int]]:
        """Positions of published results of a camera, each once, in the order of their first publication."""
        frames = (each for each in self.published if isinstance(each, (Analysed, Reused)))
        return list(dict.fromkeys(each.ticket.position for each in frames if each.ticket.camera == camera))


class FakePublisher:
    """Keeps order and leases as the real one must. `faults`: one entry a call of publish; `after` fails late.

    Everything is settled at once unless `settles` is False; then `PublisherState.settled` is the test's.
    """

    def __init__(self, state: PublisherState | None = None, name: str = "publish-0") -> None:
        self.name = name
        self.state = state or PublisherState()
        self.is_dead = False
        self.settles = True
        self.faults: list[PublishError | None] = []
        self.late_faults: list[PublishError | None] = []
        self.artefacts: dict[str, list[ArtefactVersion]] = {}
        self.wanted: dict[str, list[PictureWanted]] = {}
        self.armed: set[str] = set()
        self.sample_wanted: set[str] = set()
        self.attachments: list[tuple[str, int]] = []

    def attach(self, camera: str, lease: int) -> Attachment:
        self._check_alive()
        self.attachments.append((camera, lease))
        known = self.state.leases.get(camera, 0)
        is_fenced = lease < known
        self.state.leases[camera] = max(lease, known)
        return Attachment(
            camera=camera,
            lease=lease,
            refused="fenced" if is_fenced else None,
            last_position=self.state.accepted.get(camera),
            settled_upto=self._settled(camera),
            last_rule_time_ns=self.state.rule_time_ns.get(camera, 0),
            artefacts=(),
            is_armed=camera in self.armed,
            view_sample_wanted=camera in self.sample_wanted,
        )

    def publish(self, delivery: Delivery) -> Receipt:
        self._check_alive()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        by_camera: dict[str, list[Entry]] = {}
        for entry in delivery.entries:
            camera = entry.camera if isinstance(entry, (Tick, Status)) else entry.ticket.camera
            by_camera.setdefault(camera, []).append(entry)
        receipt = Receipt(tuple(self._receive(camera, entries) for camera, entries in by_camera.items()))
        self.state.pictures += delivery.pictures
        late = self.late_faults.pop(0) if self.late_faults else None
        if late is not None:
            raise late
        return receipt

    def _settled(self, camera: str) -> tuple[tuple[int, int], ...]:
        """Its cameras have one epoch."""
        return (self.state.settled[camera],) if camera in self.state.settled else ()

    def _check_alive(self) -> None:
        if self.is_dead:
            raise PublishError("gone", code="died", where=self.name)

    def _receive(self, camera: str, entries: Sequence[Entry]) -> CameraReceipt:
        lease = entries[0].lease if isinstance(entries[0], (Tick, Status)) else entries[0].ticket.lease
        if lease < self.state.leases.get(camera, 0):
            return CameraReceipt(camera, None, (), refused="fenced")
        last = (-1, -1)
        for entry in entries:
            match entry:
                case Tick():
                    self._check_time(camera, entry.rule_time_ns)
                    self.state.ticks.append(entry)
                case Status():
                    self.state.states.append(entry)
                case Analysed() | Reused() | Gone():
                    if entry.ticket.position <= last:
                        self.state.violations.append(f"{entry.ticket.id} after {last}")
                    last = entry.ticket.position
                    self._take(camera, entry)
        accepted = self.state.accepted.get(camera)
        if self.settles and accepted is not None:
            self.state.settled[camera] = accepted
        wanted = tuple(self.wanted.pop(camera, ()))
        return CameraReceipt(
            camera,
            accepted,
            self._settled(camera),
            artefacts=tuple(self.artefacts.pop(camera, ())),
            view_sample_wanted=camera in self.sample_wanted,
            pictures_wanted=wanted,
            is_armed=camera in self.armed,
        )

    def _take(self, camera: str, entry: Analysed | Reused | Gone) -> None:
        known = self.state.accepted.get(camera, (-1, -1))
        if entry.ticket.position > known:
            self.state.accepted[camera] = entry.ticket.position
            if not isinstance(entry, Gone):
                times = entry.analysis.times if isinstance(entry, Analysed) else entry.times
                self._check_time(camera, times.rule_time_ns)
        self.state.published.append(entry)

    def _check_time(self, camera: str, rule_time_ns: int) -> None:
        if rule_time_ns < self.state.rule_time_ns.get(camera, 0):
            self.state.violations.append(f"{camera}: rule time goes back to {rule_time_ns}")
        self.state.rule_time_ns[camera] = rule_time_ns


# --- values ---------------------------------------------------------------------------------------------------------


def owned(camera: str = "dock-03", lease: int = 7, *, is_replayable: bool = False, **rest: object) -> OwnedCamera:
    """An owned camera with small pictures."""
    sample = rest.pop("sample", SampleConfig())
    privacy = rest.pop("privacy", ())
    spec = CameraSpec(camera, SHAPE, privacy=privacy)  # type: ignore[arg-type]
    return OwnedCamera(spec, lease, sample, is_replayable, **rest)  # type: ignore[arg-type]


def ticket(seq: int, camera: str = "dock-03", lease: int = 7, epoch: int = 7) -> Ticket:
    """A live camera's ticket."""
    return Ticket(camera, lease, epoch, seq)


def times(seconds: float) -> Times:
    """All clocks at once."""
    ns = round(seconds * 1e9)
    return Times(ns, ns, ns, "arrival", 0)


def placement() -> Placement:
    return Placement((36, 54), SHAPE, (36 / 28, 54 / 42))

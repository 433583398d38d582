"""What the model says of a yard's pictures, kept in a file: another rule is then judged on the same without a pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.frames import Placement
from operators.heads.depth_linear import DepthLinear
from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from pipeline.simulation.movers import KINDS, Kind
from pipeline.simulation.rendered import Rendered
from tests.bench.alarm_chain import SHAPE, Looked, look
from tests.bench.scene_site import MOMENTS, Yard, patch_shares

SIZE = (360, 640)
"""(height, width) of a yard's pictures."""


@dataclass(frozen=True)
class Lengths:
    """How much of a yard is looked at."""

    lights: int = 4
    """Under which its view is learnt."""
    visit_seconds: float = 56.0
    empty_minutes: float = 1.6
    """From day to night."""


@dataclass(frozen=True)
class Seen:
    """One mover in one picture."""

    kind: Kind
    visit: int
    """Of the yard; the same for all pictures of one approach."""
    metres: float
    """Exact p25 of its distance to the dock."""
    shares: np.ndarray
    """float16 (h, w): share of each patch that shows it; the sum is its size in patches."""

    @property
    def num_patches(self) -> float:
        return float(self.shares.sum(dtype=np.float32))


@dataclass(frozen=True)
class Frame:
    """What the model said of one picture, and who is in it."""

    log_depth: np.ndarray
    """float32 (h, w)."""
    tokens: np.ndarray
    """float16 (N, D)."""
    movers: tuple[Seen, ...] = ()


@dataclass(frozen=True)
class YardFrames:
    """All pictures of one yard."""

    lights: list[list[Frame]]
    visits: list[Frame]
    empty: list[Frame]

    def view(self) -> EmptyView:
        """As learnt from its lights. Whether the camera moved is not asked here: without pictures."""
        return build_view(
            [
                [ViewSample(each.log_depth.astype(np.float16), each.tokens, 0.0) for each in light]
                for light in self.lights
            ]
        )


def placement() -> Placement:
    """Of every picture here."""
    return place(np.zeros((*SIZE, 3), np.uint8), SHAPE)[1]


def yard_frames(engine: Engine, head: DepthLinear, yard: Yard, lengths: Lengths, keep: Path | None) -> YardFrames:
    """Every picture of a yard through the model; or read back.

    Args:
        engine: The backbone.
        head: Its depth head at the yard's pose; must be the same for all that is kept in one folder.
        yard: The layout.
        lengths: How much of it.
        keep: The folder in which what was said is kept, 30 MB a yard; None: nowhere.
    """
    name = f"{yard.pose}-{yard.seed}-{lengths.lights}-{lengths.visit_seconds:g}-{lengths.empty_minutes:g}.npz"
    path = None if keep is None else keep / f"{engine.backbone.fingerprint[:12]}-{name}"
    if path is not None and path.exists():
        return _read(path)

    def looked(pictures: Iterable[Rendered]) -> Iterator[Looked]:
        return look(engine, head, yard.pose, pictures)

    learnt = [_frame(each) for each in looked(picture for light in yard.learnt(lengths.lights) for picture in light)]
    present = [numbers for _, numbers in yard.who_comes(lengths.visit_seconds)]
    seen = zip(looked(yard.visit_pictures(lengths.visit_seconds)), present, strict=True)
    visits = [_frame(each, numbers) for each, numbers in seen]
    empty = [_frame(each) for each in looked(picture for _, picture in yard.empty_pictures(lengths.empty_minutes))]
    parts = [learnt[at : at + MOMENTS] for at in range(0, len(learnt), MOMENTS)]
    frames = YardFrames(parts, visits, empty)
    if path is not None:
        _write(path, frames)
    return frames


def _frame(looked: Looked, present: Sequence[int] = ()) -> Frame:
    """With every mover of whom a pixel is in view."""
    movers: list[Seen] = []
    for index, visit in enumerate(present):
        truth = looked.rendered.truth(index)
        if truth is not None:
            shares = patch_shares(looked.rendered.mover_map == index + 1, looked.log_depth.shape)
            movers.append(Seen(truth.kind, visit, truth.distance_p25, shares.astype(np.float16)))
    return Frame(looked.log_depth.astype(np.float32), looked.tokens, tuple(movers))


def _write(path: Path, frames: YardFrames) -> None:
    every = [*(each for light in frames.lights for each in light), *frames.visits, *frames.empty]
    seen = [(at, each) for at, frame in enumerate(every) for each in frame.movers]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        counts=[len(frames.lights), len(frames.visits), len(frames.empty)],
        log_depth=np.stack([each.log_depth for each in every]),
        tokens=np.stack([each.tokens for each in every]),
        of=[(at, KINDS.index(each.kind), each.visit) for at, each in seen],
        metres=[each.metres for _, each in seen],
        shares=np.stack([each.shares for _, each in seen]),
    )
    part.replace(path)


def _read(path: Path) -> YardFrames:
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    movers: dict[int, list[Seen]] = {}
    for (at, kind, visit), metres, shares in zip(arrays["of"], arrays["metres"], arrays["shares"], strict=True):
        movers.setdefault(int(at), []).append(Seen(KINDS[kind], int(visit), float(metres), shares))
    every = [
        Frame(log_depth, tokens, tuple(movers.get(at, ())))
        for at, (log_depth, tokens) in enumerate(zip(arrays["log_depth"], arrays["tokens"], strict=True))
    ]
    rest = iter(every)
    lights, visits, empty = (int(count) for count in arrays["counts"])
    learnt = [list(islice(rest, MOMENTS)) for _ in range(lights)]
    return YardFrames(learnt, list(islice(rest, visits)), list(islice(rest, empty)))

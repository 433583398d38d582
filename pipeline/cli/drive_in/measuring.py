"""Reads a vehicle that stands at a known distance; knows no camera and no screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from operators.analyzer import Analyzer
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times, nearest_shape
from operators.results import LineDistance
from operators.scene.residuals import (
    MIN_READINGS,
    MeasuredMetres,
    Stop,
    drift_metres,
    measured,
    metres_fingerprint,
    step_noise_metres,
)
from pipeline.control.drive_ins import head_of, is_fitted_at_view
from pipeline.control.model import ModelSpec
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.sources.picture import ArrayPicture

Told = Callable[[int, float | None], None]
"""(pictures so far, metres of the newest one or None where nobody stands)."""
MOVED_METRES = 0.3
_MOVED_NOISES = 4.0
_SEEN_SHARE = 0.5
"""A vehicle that is found in fewer pictures is not well enough in view to be measured."""


class UnsteadyError(ValueError):
    """What was read is no standing vehicle."""


@dataclass(frozen=True, slots=True, repr=False)
class Reader:
    """What reads distances of one camera, as `run` would."""

    analyzer: Analyzer
    spec: CameraSpec
    store: ArtefactStore
    shapes: tuple[tuple[int, int], ...]
    """`model.shapes`: the nearest to a picture's proportions is taken."""
    fingerprint: str
    """Of depth head and view."""
    is_fitted_here: bool
    """Whether the depth head was fitted at this view."""

    @staticmethod
    def of(model: ModelSpec, analyzer: Analyzer, camera: str) -> Reader:
        """Of one camera of `model`, which `analyzer` was built from.

        Raises:
            ValueError: the camera has no depth head or no view, so it reads no metres.
        """
        spec = model.camera(camera)
        head = head_of(spec, model.depth)
        if head is None or spec.view is None:
            raise ValueError(f"{camera} reads no metres: it needs `view` and a head of kind depth")
        return Reader(
            analyzer=analyzer,
            spec=spec,
            store=ArtefactStore(model.artefacts),
            shapes=model.model.shapes,
            fingerprint=metres_fingerprint(head, spec.view),
            is_fitted_here=is_fitted_at_view(spec, model.depth),
        )

    def read(self, rgb: np.ndarray, line: str) -> LineDistance | None:
        """Of the nearest thing before the empty view; None: nobody is there.

        Args:
            rgb: uint8 (H, W, 3) at full size.
            line: Floor line.

        Raises:
            ValueError: the empty view is not learnt, or was learnt with another model or at another size.
        """
        view = self.store.latest(f"view/{self.spec.camera}")
        if view is None:
            raise ValueError(f"{self.spec.camera} has not learnt its empty view: let it, or use `commission`")
        shape = nearest_shape((rgb.shape[0], rgb.shape[1]), self.shapes)
        pixels, placement = model_picture(ArrayPicture(rgb), shape, self.spec.privacy)
        item = Item(
            Ticket(self.spec.camera, 0, 0, 0), Times(0, 0, 0, "arrival", 0), placement, pixels, (view,)
        )  # fmt: skip
        (analysis,) = self.analyzer.analyze([item])
        if analysis.view is None:
            raise ValueError(f"{view} does not fit pictures of {shape[0]}x{shape[1]}: learn the empty view again")
        found = [each for subject in analysis.subjects for each in subject.distances if each.line == line]
        return min(found, key=lambda each: each.metres, default=None)


def read_stop(
    reader: Reader,
    pictures: Iterable[np.ndarray],
    line: str,
    known_metres: float,
    *,
    vehicle: str = "vehicle",
    told: Told = lambda *_: None,
) -> Stop:
    """What is read of one vehicle that stands still.

    Args:
        reader: Of the camera.
        pictures: uint8 (H, W, 3) RGB each, while it stands; half a second apart is well.
        line: Floor line from which its body was measured.
        known_metres: By tape.
        vehicle: Which one: a correction takes two.
        told: After each picture.

    Raises:
        UnsteadyError: nobody is there, or what is there moves.
        ValueError: as `Reader.read`; no such line.
    """
    if line not in reader.spec.lines:
        raise ValueError(f"unknown line {line!r}: expected one of {', '.join(reader.spec.lines) or 'none'}")
    metres: list[float] = []
    contact: list[float] = []
    count = 0
    for count, rgb in enumerate(pictures, start=1):
        found = reader.read(rgb, line)
        told(count, None if found is None else found.metres)
        if found is not None:
            metres.append(found.metres)
            contact += [] if found.contact_metres is None else [found.contact_metres]
    if len(metres) < max(MIN_READINGS, _SEEN_SHARE * count):
        raise UnsteadyError(
            f"something stands before the empty view in {len(metres)} of {count} pictures: expected a vehicle in at "
            f"least half of them, and in {MIN_READINGS}"
        )
    stop = Stop(
        line=line,
        floor=reader.spec.lines[line],
        known_metres=known_metres,
        readings_metres=tuple(round(each, 4) for each in metres),
        contact_metres=round(float(np.median(contact)), 4) if contact else None,
        measured_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        vehicle=vehicle,
    )
    drift, most = drift_metres(metres), max(MOVED_METRES, _MOVED_NOISES * step_noise_metres(metres))
    if abs(drift) > most:
        raise UnsteadyError(
            f"it moved by {drift:+.1f} m while it was read, or something else came nearer: expected a vehicle that "
            "stands still, and nobody else in view"
        )
    return stop


def store_stops(reader: Reader, stops: Iterable[Stop], *, is_fresh: bool = False) -> MeasuredMetres:
    """Stores stops as the next version of the camera's drive-ins, with those before them that were read alike.

    Args:
        reader: That read them.
        stops: At least one.
        is_fresh: Leaves out all earlier ones.

    Raises:
        ValueError: as `measured`.
    """
    name, fingerprint = f"metres/{reader.spec.camera}", reader.fingerprint
    earlier: tuple[Stop, ...] = ()
    newest = None if is_fresh else reader.store.latest(name)
    if newest is not None:
        before = MeasuredMetres.from_bytes(reader.store.get(newest), newest)
        earlier = before.stops if before.fingerprint == fingerprint else ()
    kept = [each for each in earlier if reader.spec.lines.get(each.line) == each.floor]
    data = measured(fingerprint, [*kept, *stops], is_fitted_here=reader.is_fitted_here).to_bytes()
    return MeasuredMetres.from_bytes(data, reader.store.put(name, data))


def newest_stops(store: ArtefactStore, camera: str) -> MeasuredMetres | None:
    """What lies there of a camera, whatever read it; None: nothing, or somebody took all stops out.

    Raises:
        ValueError: it is damaged.
    """
    newest = store.latest(f"metres/{camera}")
    metres = None if newest is None else MeasuredMetres.from_bytes(store.get(newest), newest)
    return metres if metres is not None and metres.stops else None


def forget_stop(store: ArtefactStore, camera: str, number: int) -> MeasuredMetres | None:
    """Stores the camera's drive-ins without one stop: it was typed or parked wrong.

    Args:
        store: Where they lie.
        camera: Its id.
        number: Of the stop, from 0, as the newest version has them.

    Returns:
        What is left; None: nothing.

    Raises:
        ValueError: there is no such stop.
    """
    before = newest_stops(store, camera)
    if before is None or not 0 <= number < len(before.stops):
        raise ValueError(f"no stop {number + 1}: there are {0 if before is None else len(before.stops)}")
    kept = (*before.stops[:number], *before.stops[number + 1 :])
    left = (
        measured(before.fingerprint, kept, is_fitted_here=before.is_fitted_here)
        if kept
        else replace(before, stops=(), jitter_metres=0.0, offsets_metres={})
    )
    store.put(f"metres/{camera}", left.to_bytes())
    return newest_stops(store, camera)

"""Tracks and the empty view of one camera: the one place of the publisher that calls `operators.scene`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from operators.camera import CameraSpec
from operators.frames import grid_of
from operators.results import Analysis, Subject
from operators.scene.empty_view import EmptyView
from operators.scene.tracks import Tracks
from operators.scene.view_learner import ViewLearner
from pipeline.frame_path.publisher.artefacts import ArtefactStore


class SceneMemory:
    """Joins subjects over frames, holds those that sank below the picture, and learns the empty view."""

    def __init__(self, spec: CameraSpec, tracks: dict[str, Any] | None, learner: ViewLearner | None) -> None:
        """`learner` None: the view is fixed, or no rule needs one.

        Of a camera whose pose is not known, what leaves at the bottom is gone: nothing says that it came nearer.
        """
        self._spec = spec
        self._tracks = Tracks.from_dict(tracks) if tracks else Tracks()
        self._learner = learner
        self._hold_seconds = 0.0 if spec.view is None else spec.scene.hold_below

    def follow(self, analysis: Analysis) -> tuple[Analysis, tuple[Subject, ...]]:
        """The analysis with tracks and what these are called, and the held subjects."""
        self._tracks, subjects, held = self._tracks.step(
            analysis.subjects, analysis.times.rule_time_ns, self._hold_seconds
        )
        return replace(analysis, subjects=subjects), held

    @property
    def lost(self) -> tuple[Subject, ...]:
        """Who was held until the newest frame, and is not any more: not seen again for `scene.hold_below`."""
        return self._tracks.lost

    def linger(self, before_ns: int, time_ns: int) -> None:
        """The picture did not change: who was in view at `before_ns` still is."""
        self._tracks = self._tracks.linger(before_ns, time_ns, self._hold_seconds)

    def tracks_to_dict(self) -> dict[str, Any]:
        return self._tracks.to_dict()

    def wants_sample(self, time_ns: int, *, is_armed: bool) -> bool:
        return self._learner is not None and self._learner.wants_sample(time_ns, is_armed=is_armed)

    @property
    def is_asked(self) -> bool:
        """Whether a person has the view taught right now."""
        return self._learner is not None and self._learner.asked is not None

    def ask(self, seconds: float, made_by: str, *, is_anew: bool) -> bytes:
        """Learns from the frames of the next `seconds`; returns the learner's state."""
        learner = self._learner or ViewLearner(self._spec.scene.absorb_after, made_by)
        self._learner = learner.ask(seconds, is_anew=is_anew)
        return self._learner.to_bytes()

    @property
    def absorptions(self) -> int:
        """How often a parked thing became part of the view."""
        return 0 if self._learner is None else self._learner.absorptions

    def learn(self, analysis: Analysis, held: Sequence[Subject], *, is_armed: bool) -> tuple[bool, EmptyView | None]:
        """Takes the frame's view sample; returns whether it was taken, and a new version of the view when due."""
        if self._learner is None or analysis.view_sample is None or is_armed:
            return False, None
        occupied = np.zeros(grid_of(analysis.placement.model_size, self._spec.patch), dtype=bool)
        for subject in (*analysis.subjects, *held):
            if subject.mask.shape == occupied.shape:  # else held since the camera's pictures had another shape
                occupied |= subject.mask
        self._learner, view = self._learner.add(
            analysis.view_sample, analysis.ticket.position, analysis.times.rule_time_ns, occupied
        )
        return True, view

    def learner_to_bytes(self) -> bytes:
        assert self._learner is not None
        return self._learner.to_bytes()


def load_learner(
    spec: CameraSpec, made_by: str, stored: bytes | None, artefacts: ArtefactStore, taken: str | None = None
) -> ViewLearner | None:
    """The learner to go on with.

    In this order: `learner/CAMERA` in the artefact store, left by commissioning or `scene learn` since version `taken`;
    the stored one; an older commissioned one; none, where a view was made without one (it stays as it is); a fresh one.
    States of another model are not used.
    """
    if not spec.needs_subjects:
        return None
    commissioned = artefacts.latest(f"learner/{spec.camera}")
    left = artefacts.get(commissioned) if commissioned else None
    for blob in (stored, left) if commissioned == taken else (left, stored):
        learner = ViewLearner.from_bytes(blob) if blob else None
        if learner is not None and learner.made_by in {"", made_by}:
            return replace(learner, absorb_after_seconds=spec.scene.absorb_after, made_by=made_by)
    if load_view(spec, made_by, artefacts) is not None:
        return None
    return ViewLearner(absorb_after_seconds=spec.scene.absorb_after, made_by=made_by)


def load_view(spec: CameraSpec, made_by: str, artefacts: ArtefactStore) -> str | None:
    """The newest version of the camera's empty view, if this model made it."""
    name = artefacts.latest(f"view/{spec.camera}")
    if name is None:
        return None
    view = EmptyView.from_bytes(artefacts.get(name))
    return name if view.made_by in {"", made_by} else None

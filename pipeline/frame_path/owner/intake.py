"""What the reader does with one decoded picture, outside any lock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.frames import Placement, Times, nearest_shape
from operators.scene.change_gate import SIZE, ChangeGate
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.model_picture import blacked_out, model_picture
from pipeline.frame_path.owner.sampling import FrozenWatch, Sampler
from pipeline.sources.base import Picture


@dataclass(frozen=True, slots=True, repr=False)
class Converted:
    """A picture worth analysing."""

    pixels: np.ndarray
    """uint8 (H, W, 3) RGB."""
    placement: Placement
    full_size: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a picture said."""

    is_due: bool
    is_frozen: bool = False
    converted: Converted | None = None
    """None: not due, or unchanged."""


class Intake:
    """Samples, gates and converts the pictures of one camera; used by its reader's thread alone."""

    def __init__(self, owned: OwnedCamera) -> None:
        self._owned = owned
        self._sampler = Sampler(owned.sample.fps)
        self._frozen = FrozenWatch(owned.frozen_after_seconds)
        self._shape: tuple[int, int] | None = None
        """One for the camera's life, by the aspect of its first picture."""
        self._gate = ChangeGate(owned.sample.gate) if owned.sample.gate is not None else None

    def changed(self, owned: OwnedCamera) -> Intake:
        """Goes on under another configuration: in the shape that the camera has; due times and what the gate saw last
        stay where they still mean the same.
        """
        was, after = self._owned, Intake(owned)
        after._shape, after._frozen = self._shape, self._frozen
        if was.sample.fps == owned.sample.fps:
            after._sampler = self._sampler
        if was.sample.gate == owned.sample.gate and was.spec.privacy == owned.spec.privacy:
            after._gate = self._gate
        return after

    def look(self, picture: Picture, times: Times, *, may_reuse: bool) -> Look:
        """Converts only what is worth it.

        Raises:
            SourceError: the picture cannot be converted.
        """
        if not self._sampler.is_due(times.rule_time_ns):
            return Look(is_due=False)
        luma = picture.luma(SIZE)
        is_frozen = self._frozen.is_frozen(luma, times.rule_time_ns)
        is_changed = self._gate is None or self._gate.is_changed(luma, times.rule_time_ns / 1e9)
        converted = self.convert(picture) if is_changed or not may_reuse else None
        return Look(True, is_frozen, converted)

    def convert(self, picture: Picture) -> Converted:
        """To the model's size; full size beside it where evidence may be asked for.

        Raises:
            SourceError: the picture cannot be converted.
        """
        spec = self._owned.spec
        if self._shape is None:
            self._shape = nearest_shape(picture.size, self._owned.shapes) if self._owned.shapes else spec.shape
        pixels, placement = model_picture(picture, self._shape, spec.privacy)
        if not self._owned.wants_evidence:
            return Converted(pixels, placement, None)
        full_size = picture.rgb()
        return Converted(pixels, placement, blacked_out(full_size, spec.privacy) if spec.privacy else full_size)

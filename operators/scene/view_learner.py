"""Learns a camera's empty view from samples that the publisher asks for now and then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.learnt_lights import (
    MAX_LIGHTS,
    MAX_SAMPLES_PER_LIGHT,
    LearntLight,
    forget_depth,
    with_sample,
)
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

SAMPLES_FOR_FIRST_VIEW = 5
"""A median of five survives two passers-by."""

SAMPLES_FOR_A_LIGHT = 3
"""A further light counts once it was seen this often."""

FIRST_SAMPLES_EVERY_NS = 2_000_000_000
SAMPLES_EVERY_NS = 60_000_000_000
SAMPLES_PER_REFRESH = 12
"""A view without news is renewed after this many further samples."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A person says that the place is empty now: samples come without pause, and a version at their end."""

    every_ns: int
    """Rule time between two samples."""
    remaining: int = SAMPLES_FOR_FIRST_VIEW


@dataclass(frozen=True, slots=True)
class ViewLearner:
    """The learner's whole state; `add` returns the next one. Pure: the same samples give the same views.

    What stands in front of the view is not learnt, until it stood there for `absorb_after_seconds`: a parked thing then
    becomes part of the view. Its tokens are added to those of the empty place, its depth replaces the old one.
    """

    absorb_after_seconds: float = 1800.0
    made_by: str = ""
    lights: tuple[LearntLight, ...] = ()
    position: tuple[int, int] | None = None
    """(epoch, seq) of the last sample; samples at or before it are repetitions."""
    last_sample_ns: int | None = None
    last_lights: int = 0
    """Lights of the last version that was made; 0: none yet."""
    samples_since: int = 0
    """Samples since that version."""
    occupied_since_ns: np.ndarray | None = None
    """int64 (N,) since when a subject covers each patch; 0: free."""
    unsteady: np.ndarray | None = None
    """bool (N,) patches where a parked thing was ever absorbed."""
    absorptions: int = 0
    """How often that happened."""
    asked: Asked | None = None

    def wants_sample(self, rule_time_ns: int, *, is_armed: bool = False) -> bool:
        """Whether the next frame should bring a sample: often at first, once a minute later, never in an episode,
        unless a person asks.

        Args:
            rule_time_ns: of the newest frame.
            is_armed: a rule of the camera is pending, active or releasing.
        """
        if self.asked is not None:
            return self.last_sample_ns is None or rule_time_ns - self.last_sample_ns >= self.asked.every_ns
        if is_armed:
            return False
        if self.last_sample_ns is None:
            return True
        later = min(SAMPLES_EVERY_NS, int(self.absorb_after_seconds * 1e9 / 4))
        pause = FIRST_SAMPLES_EVERY_NS if self.last_lights == 0 else later
        return rule_time_ns - self.last_sample_ns >= pause

    def add(
        self,
        sample: ViewSample,
        position: tuple[int, int],
        rule_time_ns: int,
        occupied: np.ndarray | None = None,
    ) -> tuple[ViewLearner, EmptyView | None]:
        """Take one sample.

        Args:
            sample: of a frame while no episode was running.
            position: (epoch, seq) of that frame.
            rule_time_ns: of that frame.
            occupied: bool (h, w), patches that subjects cover in that frame; None: none.

        Returns:
            The next state, and the empty view when a new version is due. A repeated sample changes nothing. A sample
            of another shape (the camera's pictures have changed) begins a new view.
        """
        if self.position is not None and position <= self.position:
            return self, None
        if not self._has_shape_of(sample):
            anew = ViewLearner(self.absorb_after_seconds, self.made_by)
            return anew.add(sample, position, rule_time_ns, occupied)
        asked = self.asked
        since, skipped, absorbed = self._occupation(sample, rule_time_ns, None if asked else occupied)
        lights = forget_depth(self.lights, absorbed) if absorbed.any() else self.lights
        grown = replace(
            self,
            lights=with_sample(lights, sample, skipped, rule_time_ns),
            position=position,
            last_sample_ns=rule_time_ns,
            samples_since=self.samples_since + 1,
            occupied_since_ns=np.where(absorbed, 0, since),
            unsteady=self._unsteady(absorbed),
            absorptions=self.absorptions + bool(absorbed.any()),
            asked=replace(asked, remaining=asked.remaining - 1) if asked and asked.remaining > 1 else None,
        )
        learnt = grown.learnt_lights()
        is_done = asked is not None and grown.asked is None
        is_due = is_done or len(learnt) != self.last_lights or absorbed.any()
        is_due = is_due or grown.samples_since >= SAMPLES_PER_REFRESH
        if not learnt or not is_due:
            return grown, None
        view = build_view([light.samples for light in learnt], self.made_by, grown.unsteady)
        return replace(grown, last_lights=len(learnt), samples_since=0), view

    def ask(self, seconds: float, *, is_anew: bool) -> ViewLearner:
        """The state that learns from the frames of the next `seconds`, whatever stands there.

        `is_anew` forgets every light learnt so far: the camera looks elsewhere now.
        """
        kept = ViewLearner(self.absorb_after_seconds, self.made_by, position=self.position) if is_anew else self
        every_ns = round(seconds / SAMPLES_FOR_FIRST_VIEW * 1e9)
        return replace(kept, asked=Asked(every_ns), last_sample_ns=None)

    def seeded(self, samples_by_light: list[list[ViewSample]]) -> ViewLearner:
        """The state after samples that were taken beforehand (commissioning, simulation), already grouped by light."""
        lights = tuple(LearntLight(tuple(samples[-MAX_SAMPLES_PER_LIGHT:]), 0) for samples in samples_by_light)
        return replace(self, lights=lights[-MAX_LIGHTS:], last_lights=min(len(lights), MAX_LIGHTS))

    def learnt_lights(self) -> list[LearntLight]:
        """Lights with enough samples; the first one needs more than the later ones."""
        if (
            max((len(light.samples) for light in self.lights), default=0) < SAMPLES_FOR_FIRST_VIEW
            and not self.last_lights
        ):
            return []
        return [light for light in self.lights if len(light.samples) >= SAMPLES_FOR_A_LIGHT]

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        arrays: dict[str, np.ndarray] = {}
        for index, light in enumerate(self.lights):
            arrays[f"tokens.{index}"] = np.stack([each.tokens for each in light.samples])
            depths = [each.log_depth for each in light.samples if each.log_depth is not None]
            if depths:
                arrays[f"log_depth.{index}"] = np.stack(depths)
            grays = [each.gray for each in light.samples if each.gray is not None]
            if len(grays) == len(light.samples):
                arrays[f"gray.{index}"] = np.stack(grays)
        if self.occupied_since_ns is not None:
            arrays["occupied_since_ns"] = self.occupied_since_ns
        if self.unsteady is not None:
            arrays["unsteady"] = self.unsteady
        about = {
            "absorb_after_seconds": self.absorb_after_seconds,
            "made_by": self.made_by,
            "lights": [
                {"last_ns": light.last_ns, "luma": [each.luma for each in light.samples]} for light in self.lights
            ],
            "position": self.position,
            "last_sample_ns": self.last_sample_ns,
            "last_lights": self.last_lights,
            "samples_since": self.samples_since,
            "absorptions": self.absorptions,
            "asked": None if self.asked is None else [self.asked.every_ns, self.asked.remaining],
        }
        return to_tensor_bytes("view_learner", arrays, about)

    @staticmethod
    def from_bytes(data: bytes) -> ViewLearner:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is not the state of a view learner.
        """
        arrays, about = from_tensor_bytes("view_learner", data)
        lights: list[LearntLight] = []
        for index, light in enumerate(about["lights"]):
            depths, grays = arrays.get(f"log_depth.{index}"), arrays.get(f"gray.{index}")
            lights.append(
                LearntLight(
                    tuple(
                        ViewSample(
                            None if depths is None else depths[row],
                            arrays[f"tokens.{index}"][row],
                            luma,
                            None if grays is None else grays[row],
                        )
                        for row, luma in enumerate(light["luma"])
                    ),
                    light["last_ns"],
                )
            )
        return ViewLearner(
            absorb_after_seconds=about["absorb_after_seconds"],
            made_by=about["made_by"],
            lights=tuple(lights),
            position=None if about["position"] is None else tuple(about["position"]),
            last_sample_ns=about["last_sample_ns"],
            last_lights=about["last_lights"],
            samples_since=about["samples_since"],
            occupied_since_ns=arrays.get("occupied_since_ns"),
            unsteady=arrays.get("unsteady"),
            absorptions=about.get("absorptions", 0),
            asked=Asked(*asked) if (asked := about.get("asked")) else None,
        )

    def _has_shape_of(self, sample: ViewSample) -> bool:
        return not self.lights or self.lights[0].samples[0].tokens.shape == sample.tokens.shape

    def _unsteady(self, absorbed: np.ndarray) -> np.ndarray | None:
        if not absorbed.any():
            return self.unsteady
        return absorbed if self.unsteady is None else self.unsteady | absorbed

    def _occupation(
        self, sample: ViewSample, rule_time_ns: int, occupied: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Since when patches are covered, which are not to be learnt, which become part of the view: each (N,)."""
        num_patches = sample.tokens.shape[0]
        covered = np.zeros(num_patches, bool) if occupied is None else occupied.reshape(num_patches)
        before = self.occupied_since_ns if self.occupied_since_ns is not None else np.zeros(num_patches, np.int64)
        since = np.where(covered, np.where(before > 0, before, max(rule_time_ns, 1)), 0)
        absorbed = covered & (rule_time_ns - since >= self.absorb_after_seconds * 1e9)
        return since, covered & ~absorbed, absorbed

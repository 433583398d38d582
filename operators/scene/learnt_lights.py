"""Samples of the empty view, grouped by the light they were taken in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from operators.results import ViewSample

MAX_SAMPLES_PER_LIGHT = 5
MAX_LIGHTS = 6
"""More are dropped, the one that was seen least recently first. Bounds the state: 30 samples of 350 kB at 224x392."""

SAME_LIGHT_LOG_LUMA = 0.12
"""Natural log of the ratio of mean brightness up to which two samples may be of one light."""

SAME_LIGHT_NOVELTY = 0.03
"""Median novelty of a sample's patches against a light up to which it is of that light."""


@dataclass(frozen=True, slots=True)
class LearntLight:
    """Samples under one light, oldest first."""

    samples: tuple[ViewSample, ...]
    last_ns: int

    def fits(self, sample: ViewSample) -> float | None:
        """Median novelty of a sample against this light; None: another light."""
        luma = float(np.median([each.luma for each in self.samples]))
        if abs(np.log((sample.luma + 1) / (luma + 1))) > SAME_LIGHT_LOG_LUMA:
            return None
        newest = self.samples[-1].tokens.astype(np.float32)
        novelty = float(np.median(1.0 - (newest * sample.tokens.astype(np.float32)).sum(axis=-1)))
        return novelty if novelty <= SAME_LIGHT_NOVELTY else None


def with_sample(
    lights: tuple[LearntLight, ...], sample: ViewSample, covered: np.ndarray, rule_time_ns: int
) -> tuple[LearntLight, ...]:
    """The lights after one more sample: it joins the most similar light, or begins a new one.

    Args:
        lights: so far.
        sample: one more.
        covered: bool (N,) patches where a subject hides the scene; they are taken over from an earlier sample.
        rule_time_ns: of the sample.
    """
    fits = {index: fit for index, light in enumerate(lights) if (fit := light.fits(sample)) is not None}
    if fits:
        best = min(fits, key=lambda index: fits[index])
        whole = _uncovered(sample, covered, lights[best].samples[-1])
        samples = (*lights[best].samples, whole)[-MAX_SAMPLES_PER_LIGHT:]
        return (*lights[:best], LearntLight(samples, rule_time_ns), *lights[best + 1 :])
    whole = _uncovered(sample, covered, lights[-1].samples[-1]) if lights else sample
    kept = lights
    if len(kept) >= MAX_LIGHTS:
        oldest = min(range(len(kept)), key=lambda index: kept[index].last_ns)
        kept = (*kept[:oldest], *kept[oldest + 1 :])
    return (*kept, LearntLight((whole,), rule_time_ns))


def _uncovered(sample: ViewSample, covered: np.ndarray, earlier: ViewSample) -> ViewSample:
    if not covered.any():
        return sample
    tokens = np.where(covered[:, None], earlier.tokens, sample.tokens)
    if sample.log_depth is None or earlier.log_depth is None:
        return ViewSample(sample.log_depth, tokens, sample.luma)
    hidden = covered.reshape(sample.log_depth.shape)
    depth = np.where(hidden, earlier.log_depth, sample.log_depth)
    return ViewSample(depth, tokens, sample.luma, _uncovered_gray(sample.gray, hidden, earlier.gray))


def _uncovered_gray(gray: np.ndarray | None, hidden: np.ndarray, earlier: np.ndarray | None) -> np.ndarray | None:
    if gray is None or earlier is None:
        return gray
    height, width = gray.shape
    rows, columns = np.arange(height) * hidden.shape[0] // height, np.arange(width) * hidden.shape[1] // width
    return np.where(hidden[rows[:, None], columns], earlier, gray)


def forget_depth(lights: tuple[LearntLight, ...], patches: np.ndarray) -> tuple[LearntLight, ...]:
    """Without the depth of patches (N,) where a parked thing was absorbed; the empty place's tokens stay."""
    return tuple(
        LearntLight(tuple(_without_depth(sample, patches) for sample in light.samples), light.last_ns)
        for light in lights
    )


def _without_depth(sample: ViewSample, patches: np.ndarray) -> ViewSample:
    if sample.log_depth is None:
        return sample
    depth = sample.log_depth.copy()
    depth.reshape(-1)[patches] = np.nan
    return replace(sample, log_depth=depth)

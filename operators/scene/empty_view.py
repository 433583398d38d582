"""The learnt empty view of one camera: what depth and which textures its floor and walls have under several lights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from operators.results import ViewSample
from operators.scene.light_free import LightFree
from operators.scene.structure import Structure, build_structure
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

VIEW_BLOCK = 2
"""Index of the backbone block whose patch tokens tell new things from old ones. Later blocks spread a thing over the
whole picture. Source: own measurements, IoU 0.6 to 0.9 at block 2 against 0.08 at the last block."""

NOVELTY_QUANTILE = 0.999
"""Share of empty patches that must lie below the threshold. Source: own measurements, leave one light out."""

PASSER_BY_LOG_DEPTH = 0.10
"""A patch this much nearer than the median of its light is somebody passing by, and not learnt."""


@dataclass(frozen=True, slots=True, repr=False)
class EmptyView:
    """What a camera sees while nothing stands there. Immutable; a new version replaces it."""

    log_depth: np.ndarray
    """float32 (h, w) natural log of metres, median over all samples; NaN where never valid or without a depth head."""
    references: np.ndarray
    """float32 (K, N, D) L2-normalised tokens of block 2; float16 in a file. In memory as they are used: converting them
    for every frame would cost twenty times what comparing them costs."""
    thresholds: np.ndarray
    """float32 (N,) novelty that an empty patch hardly ever has in a light that was not learnt; inf while only one light
    was seen."""
    num_lights: int
    made_by: str = ""
    """What made its depth and tokens (fingerprints of backbone and depth head); a view of others is refused."""
    structure: Structure | None = None
    """What stands still in it; None: it was learnt without pictures, and whether the camera moved cannot be told."""
    lumas: tuple[float, ...] = ()
    """Mean brightness under each light, 0..255: for people who ask which lights it knows."""
    light_free: LightFree | None = None
    """How it compares looks once three lights were seen; None: by the cosine alone."""

    def __repr__(self) -> str:
        return f"EmptyView({self.log_depth.shape}, lights={self.num_lights}, references={len(self.references)})"

    @property
    def is_one_light(self) -> bool:
        """Whether it has seen too few lights for tokens: then depth alone must do."""
        return self.num_lights < 2

    def novelty(self, tokens: np.ndarray) -> np.ndarray:
        """How unlike every reference each patch looks: 1 - highest cosine at the same patch.

        Args:
            tokens: float (N, D) L2-normalised tokens of block 2.

        Returns:
            float32 (N,), 0 for equal, up to 2.

        Raises:
            ValueError: the tokens have another shape than the references.
        """
        self._check_shape(tokens)
        cosines = np.einsum("knd,nd->kn", self.references, tokens.astype(np.float32))
        return 1.0 - cosines.max(axis=0)

    def newness(self, tokens: np.ndarray) -> np.ndarray:
        """float32 (N,): how unlike every reference each patch looks, 1 at the threshold; what the light does to looks
        counts for little once three lights were seen.

        Args:
            tokens: as for `novelty`.

        Raises:
            ValueError: the tokens have another shape than the references.
        """
        if self.light_free is None:
            return self.novelty(tokens) / self.thresholds
        self._check_shape(tokens)
        return self.light_free.newness(self.references, tokens)

    def _check_shape(self, tokens: np.ndarray) -> None:
        if tokens.shape != self.references.shape[1:]:
            raise ValueError(f"tokens must be (N, D) = {self.references.shape[1:]} as in the view, got {tokens.shape}")

    def closer_by(self, log_depth: np.ndarray) -> np.ndarray:
        """Share by which each patch is nearer than the empty view: 0.05 is 5 % closer. NaN counts as not closer."""
        ratio = np.exp(log_depth.astype(np.float32) - self.log_depth)
        return np.where(np.isfinite(ratio), 1.0 - ratio, 0.0)

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        arrays = {
            "log_depth": self.log_depth,
            "references": self.references.astype(np.float16),
            "thresholds": self.thresholds,
        }
        about: dict[str, object] = {
            "num_lights": self.num_lights,
            "made_by": self.made_by,
            "lumas": list(self.lumas),
        }
        if self.structure is not None:
            arrays["coarse"] = self.structure.coarse.astype(np.float16)
            arrays["fine"] = self.structure.fine.astype(np.float16)
            about["faded"] = self.structure.faded
        if self.light_free is not None:
            arrays["light_weights"] = self.light_free.weights
            about["light_free_threshold"] = self.light_free.threshold
        return to_tensor_bytes("empty_view", arrays, about)

    @staticmethod
    def from_bytes(data: bytes) -> EmptyView:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is not an empty view.
        """
        arrays, about = from_tensor_bytes("empty_view", data)
        references = arrays["references"].astype(np.float32)
        weights = arrays.get("light_weights")
        return EmptyView(
            log_depth=arrays["log_depth"],
            references=references,
            thresholds=arrays["thresholds"],
            num_lights=about["num_lights"],
            made_by=about["made_by"],
            structure=_structure_of(arrays, about),
            lumas=tuple(about.get("lumas", ())),
            light_free=None if weights is None else LightFree.of(weights, about["light_free_threshold"], references),
        )


def _structure_of(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> Structure | None:
    if "coarse" not in arrays:
        return None
    return Structure(arrays["coarse"].astype(np.float32), arrays["fine"].astype(np.float32), about["faded"])


def build_view(
    samples_by_light: Sequence[Sequence[ViewSample]], made_by: str = "", unsteady: np.ndarray | None = None
) -> EmptyView:
    """The empty view from samples that are grouped by light.

    Depth is the median over all samples. The novelty threshold is the 99.9 % quantile of the novelty that each light's
    samples have against the references of the *other* lights: what a light never seen is expected to do.

    Args:
        samples_by_light: one or more samples per light, all of one shape.
        made_by: see `EmptyView.made_by`.
        unsteady: bool (N,) patches where a parked thing was absorbed: whether the camera moved is not told by them.

    Raises:
        ValueError: no sample at all, or samples of different shapes.
    """
    lights = [list(samples) for samples in samples_by_light if len(samples)]
    if not lights:
        raise ValueError("an empty view needs at least one sample")
    shapes = {sample.tokens.shape for samples in lights for sample in samples}
    if len(shapes) > 1:
        raise ValueError(f"samples of one view must have one shape, got {sorted(shapes)}")
    cleaned = [_without_passers_by(samples) for samples in lights]
    references = np.concatenate(cleaned)
    return EmptyView(
        log_depth=_median_log_depth([sample for samples in lights for sample in samples]),
        references=references.astype(np.float32),
        thresholds=np.full(references.shape[1], _leave_one_light_out(cleaned), np.float32),
        num_lights=len(lights),
        made_by=made_by,
        structure=_structure(lights, unsteady),
        lumas=tuple(round(float(np.median([sample.luma for sample in light])), 1) for light in lights),
        light_free=LightFree.learnt(cleaned),
    )


def _structure(lights: Sequence[Sequence[ViewSample]], unsteady: np.ndarray | None) -> Structure | None:
    grays = [[sample.gray for sample in samples if sample.gray is not None] for samples in lights]
    grays = [light for light in grays if light]
    if not grays:
        return None
    depth = next((sample.log_depth for light in lights for sample in light if sample.log_depth is not None), None)
    hidden = None if unsteady is None or depth is None else unsteady.reshape(depth.shape)
    return build_structure(grays, hidden)


def _median_log_depth(samples: Sequence[ViewSample]) -> np.ndarray:
    depths = [sample.log_depth for sample in samples if sample.log_depth is not None]
    if not depths:
        num_patches = samples[0].tokens.shape[0]
        return np.full((1, num_patches), np.nan, np.float32)
    return _nanmedian(np.stack(depths).astype(np.float32))


def _nanmedian(stack: np.ndarray) -> np.ndarray:
    """Median over the first axis without NaN; NaN where nothing else is."""
    seen = np.isfinite(stack).any(axis=0)
    return np.where(seen, np.nanmedian(np.where(seen, stack, 0.0), axis=0), np.nan).astype(np.float32)


def _without_passers_by(samples: Sequence[ViewSample]) -> np.ndarray:
    """float16 (S, N, D) tokens of one light; a patch that somebody covered takes the tokens of a sample without him."""
    tokens = np.stack([sample.tokens for sample in samples]).astype(np.float16)
    depths = [sample.log_depth for sample in samples]
    if len(samples) < 3 or any(depth is None for depth in depths):
        return tokens
    stack = np.stack([depth for depth in depths if depth is not None]).astype(np.float32).reshape(len(samples), -1)
    away = np.nan_to_num(np.abs(stack - _nanmedian(stack)))  # (S, N)
    typical = away.argmin(axis=0)  # (N,)
    covered_sample, covered_patch = np.nonzero(away > PASSER_BY_LOG_DEPTH)
    tokens[covered_sample, covered_patch] = tokens[typical[covered_patch], covered_patch]
    return tokens


def _leave_one_light_out(lights: Sequence[np.ndarray]) -> float:
    """99.9 % quantile of novelty against the other lights; inf for a single light."""
    if len(lights) < 2:
        return float("inf")
    novelties: list[np.ndarray] = []
    for left_out, tokens in enumerate(lights):
        others = np.concatenate([other for index, other in enumerate(lights) if index != left_out]).astype(np.float32)
        samples = tokens.astype(np.float32)
        novelties.extend(1.0 - np.einsum("knd,nd->kn", others, sample).max(axis=0) for sample in samples)
    return float(np.quantile(np.concatenate(novelties), NOVELTY_QUANTILE))

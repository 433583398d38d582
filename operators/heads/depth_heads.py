"""Which depth head serves which camera, and what is said of its picture as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from operators.camera import CameraSpec
from operators.frames import Placement
from operators.geometry import FloorCamera
from operators.heads.base import DepthModel
from operators.heads.config import HeadConfig
from operators.heads.depth_about import Taps
from operators.results import Depth, InverseDepth


class DepthHeads:
    """Depth heads by head name, or by `head@camera` for one fitted at that camera's view, which wins."""

    def __init__(
        self,
        heads: Mapping[str, HeadConfig],
        depth: Mapping[str, DepthModel],
        fingerprint: str,
        published_as: str = "",
    ) -> None:
        """Keeps the heads that the configuration names.

        Args:
            heads: `heads:` of the configuration.
            depth: what was loaded for them.
            fingerprint: of the backbone.
            published_as: of the backbone, see `WeightsInfo.published_as`; without it published heads are refused.

        Raises:
            HeadMismatchError: one is for other weights.
        """
        self._names = {name for name, head in heads.items() if "metres" in head.gives}
        self._depth = dict(depth)
        for head in self._depth.values():
            head.about.check_backbone(fingerprint, published_as)

    def of(self, spec: CameraSpec) -> tuple[str, DepthModel] | None:
        """(name, head) of the camera's depth head; None: it wants none, or there is none for it."""
        for name in spec.heads:
            if name in self._names:
                found = self._depth.get(f"{name}@{spec.camera}") or self._depth.get(name)
                if found is not None:
                    return name, found
        return None

    def blocks(self, spec: CameraSpec, *, normed: bool) -> frozenset[int]:
        """0-based blocks that the camera's head reads raw, or after the final norm."""
        found = self.of(spec)
        return frozenset(found[1].about.blocks) if found and found[1].about.is_normed == normed else frozenset()

    def metres(
        self, spec: CameraSpec, taps: Taps, grid: tuple[int, int], placement: Placement, normed: Taps | None = None
    ) -> np.ndarray | None:
        """float32 (h, w) along the optical axis, NaN where invalid; None without a head that gives metres.

        Args:
            spec: of the camera.
            taps: raw tokens of one frame.
            grid: (h, w) patches.
            placement: of the frame.
            normed: its tokens after the final norm, for heads that read those.
        """
        found = self.of(spec)
        if found is None or found[1].about.output != "metric":
            return None
        return self._predicted(found[1], taps, normed, grid, camera_focal_px(spec, placement))

    def inverse(
        self, spec: CameraSpec, taps: Taps, grid: tuple[int, int], normed: Taps | None = None
    ) -> np.ndarray | None:
        """float32 (h, w) inverse depth, larger is nearer; None without a head that gives it. Arguments as above."""
        found = self.of(spec)
        if found is None or found[1].about.output != "inverse":
            return None
        return self._predicted(found[1], taps, normed, grid, None)

    def off_recipe(self, spec: CameraSpec, placement: Placement) -> str | None:
        """What of the camera lies far from what its head was trained with; None: nothing, or it has no head."""
        found = self.of(spec)
        return None if found is None else found[1].about.off_recipe(spec.shape, camera_focal_px(spec, placement))

    def result(self, spec: CameraSpec, placement: Placement, metres: np.ndarray) -> Depth:
        """What travels of `metres`: float16 on the patch grid, with what is said of it as a whole."""
        found = self.of(spec)
        valid = metres[np.isfinite(metres)]
        p05, median = np.percentile(valid, (5, 50)) if valid.size else (np.nan, np.nan)
        return Depth(
            head=self._name(spec),
            metres=metres.astype(np.float16),
            p05=float(p05),
            median=float(median),
            valid_share=valid.size / metres.size,
            is_calibrated=spec.view is not None and found is not None and found[1].about.tells_metres,
            off_recipe=self.off_recipe(spec, placement) or "",
        )

    def inverse_result(self, spec: CameraSpec, placement: Placement, values: np.ndarray) -> InverseDepth:
        """What travels of inverse depth."""
        off_recipe = self.off_recipe(spec, placement) or ""
        return InverseDepth(self._name(spec), values.astype(np.float16), off_recipe)

    def _name(self, spec: CameraSpec) -> str:
        found = self.of(spec)
        return "" if found is None else found[0]

    @staticmethod
    def _predicted(
        head: DepthModel, taps: Taps, normed: Taps | None, grid: tuple[int, int], focal: float | None
    ) -> np.ndarray:
        return head.predict((normed or {}) if head.about.is_normed else taps, grid, focal)[0]


def camera_focal_px(spec: CameraSpec, placement: Placement) -> float | None:
    """Of the model-size picture, vertical; None: the camera's field of view is not known."""
    return None if spec.view is None else FloorCamera(spec.view, placement.model_size, placement).focal[1]

"""Which depth head serves which camera, and what is said of its picture as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from operators.camera import CameraSpec
from operators.frames import Placement
from operators.geometry import FloorCamera
from operators.heads.config import HeadConfig
from operators.heads.depth_linear import DepthLinear, Taps
from operators.results import Depth


class DepthHeads:
    """Depth heads by head name, or by `head@camera` for one fitted at that camera's view, which wins."""

    def __init__(self, heads: Mapping[str, HeadConfig], depth: Mapping[str, DepthLinear], fingerprint: str) -> None:
        """Keeps the heads that the configuration names.

        Raises:
            HeadMismatchError: one was fitted on other weights than `fingerprint`.
        """
        self._names = {name for name, head in heads.items() if "metres" in head.gives}
        self._depth = dict(depth)
        for head in self._depth.values():
            head.check_backbone(fingerprint)

    def of(self, spec: CameraSpec) -> tuple[str, DepthLinear] | None:
        """(name, head) of the camera's depth head; None: it wants none, or there is none for it."""
        for name in spec.heads:
            if name in self._names:
                found = self._depth.get(f"{name}@{spec.camera}") or self._depth.get(name)
                if found is not None:
                    return name, found
        return None

    def metres(self, spec: CameraSpec, taps: Taps, grid: tuple[int, int], placement: Placement) -> np.ndarray | None:
        """float32 (h, w) along the optical axis, NaN where invalid; None without a head."""
        found = self.of(spec)
        if found is None:
            return None
        focal = None
        if spec.view is not None:
            focal = FloorCamera(spec.view, placement.model_size, placement).focal[1]
        return found[1].predict(taps, grid, focal)[0]


def depth_result(head: str, spec: CameraSpec, metres: np.ndarray) -> Depth:
    """The depth that travels: float16 on the patch grid, with what is said of it as a whole."""
    valid = metres[np.isfinite(metres)]
    p05, median = np.percentile(valid, (5, 50)) if valid.size else (np.nan, np.nan)
    return Depth(
        head=head,
        metres=metres.astype(np.float16),
        p05=float(p05),
        median=float(median),
        valid_share=valid.size / metres.size,
        is_calibrated=spec.view is not None,
    )

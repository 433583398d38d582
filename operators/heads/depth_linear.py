"""Metric depth from a linear layer on the raw tokens of four blocks, ours and Meta's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from operators.heads.depth_about import DepthAbout, HeadMismatchError, Taps, about_from, in_range
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

__all__ = ["DEPTH_BLOCKS", "DepthAbout", "DepthLinear", "HeadMismatchError", "Taps"]

DEPTH_BLOCKS = (2, 5, 8, 11)
"""Of ViT-S and ViT-B. Source: facebookresearch/dinov2 `dinov2/hub/depthers.py` @b8931f7."""

UPSAMPLING = 4
"""Meta's linear heads upsample tokens fourfold. Source: the same."""


@dataclass(frozen=True, slots=True, repr=False)
class DepthLinear:
    """One linear layer over [patch, class token] of each block, in that order."""

    weight: np.ndarray
    """float32 (K, 2 D L): channels p0, c0, p1, c1, ... for L blocks; K = 1 (`log`) or the number of bins."""
    bias: np.ndarray
    """float32 (K,)."""
    about: DepthAbout

    def __repr__(self) -> str:
        return f"DepthLinear({self.about.form}, {self.weight.shape}, fitted on {self.about.fingerprint[:12]})"

    def check_backbone(self, fingerprint: str, published_as: str = "") -> None:
        """Refuse other weights; see `DepthAbout.check_backbone`.

        Raises:
            HeadMismatchError: the head belongs to others.
        """
        self.about.check_backbone(fingerprint, published_as)

    def predict(self, taps: Taps, grid: tuple[int, int], focal_px: float | None = None) -> np.ndarray:
        """Depth on the patch grid.

        Args:
            taps: raw tokens of `about.blocks`.
            grid: (h, w) patches.
            focal_px: of the camera, in pixels of the model-size picture; None: not known, the metres are then those of
                a camera with the reference focal length.

        Returns:
            float32 (B, h, w) metres along the optical axis, NaN within 2 % of the ends of the range.
        """
        logits = self._logits(taps, grid)
        if self.about.form == "log":
            return in_range(np.exp(logits[..., 0]), self.about, focal_px)
        fine = self._expected_bin(_upsampled(logits, (grid[0] * UPSAMPLING, grid[1] * UPSAMPLING)))
        coarse = fine.reshape(len(fine), grid[0], UPSAMPLING, grid[1], UPSAMPLING).mean(axis=(2, 4))
        return in_range(coarse, self.about, focal_px)

    def predict_map(
        self, taps: Taps, grid: tuple[int, int], size: tuple[int, int], focal_px: float | None = None
    ) -> np.ndarray:
        """Depth per pixel: float32 (B, H, W), arguments as for `predict`; `size` is (H, W)."""
        logits = self._logits(taps, grid)
        if self.about.form == "log":
            return in_range(np.exp(_upsampled(logits, size)[..., 0]), self.about, focal_px)
        fine = self._expected_bin(_upsampled(logits, (grid[0] * UPSAMPLING, grid[1] * UPSAMPLING)))
        least, largest = self.about.range_metres
        return in_range(_upsampled(fine.clip(least, largest)[..., None], size)[..., 0], self.about, focal_px)

    def _logits(self, taps: Taps, grid: tuple[int, int]) -> np.ndarray:
        """float32 (B, h, w, K): the layer at patch resolution, its class-token half once per picture.

        Exact: a 1 x 1 convolution commutes with bilinear upsampling, and with a map that is the same everywhere.
        """
        dim = self.weight.shape[1] // (2 * len(self.about.blocks))
        total: np.ndarray | None = None
        for index, block in enumerate(self.about.blocks):
            cls, patches = taps[block]
            start = 2 * dim * index
            part = patches @ self.weight[:, start : start + dim].T  # (B, N, K)
            part += (cls @ self.weight[:, start + dim : start + 2 * dim].T)[:, None]  # (B, 1, K)
            total = part if total is None else total + part
        if total is None:
            raise ValueError("a depth head needs at least one block, got none")
        return (total + self.bias).reshape(len(total), *grid, -1)

    def _expected_bin(self, logits: np.ndarray) -> np.ndarray:
        """float32 (B, H, W): relu, + 0.1, normalise, expected value over equally spaced bins.

        Source: facebookresearch/dinov2 `dinov2/eval/depth/models/decode_heads/linear_head.py` @b8931f7 (`linear`
        normalisation, `UD` bins).
        """
        share = np.maximum(logits, 0.0) + 0.1
        share /= share.sum(axis=-1, keepdims=True)
        bins = np.linspace(*self.about.range_metres, self.weight.shape[0], dtype=np.float32)
        return share @ bins

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        arrays = {"weight": self.weight.astype(np.float32), "bias": self.bias.astype(np.float32)}
        return to_tensor_bytes("depth_linear", arrays, asdict(self.about))

    @staticmethod
    def from_bytes(data: bytes) -> DepthLinear:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is not a depth head.
        """
        arrays, values = from_tensor_bytes("depth_linear", data)
        about = about_from(values)
        return DepthLinear(arrays["weight"], arrays["bias"], about)

    @staticmethod
    def load(path: Path) -> DepthLinear:
        """From a file of ours.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not a depth head.
        """
        return DepthLinear.from_bytes(path.read_bytes())

    @staticmethod
    def from_meta(state: Mapping[str, Any], about: DepthAbout) -> DepthLinear:
        """One of Meta's linear heads.

        Args:
            state: The `state_dict` of a `..._linear_head.pth` or `..._linear4_head.pth`.
            about: `bins`; the range is the one that the head was trained with (NYU 0.001 to 10, KITTI 0.001 to 80).
                Upstream's hub builder says 80 for both, which makes NYU depth eight times too large.

        Raises:
            ValueError: a tensor is missing or has another shape than `about.blocks` asks for.
        """
        name = "decode_head.conv_depth"
        missing = [key for key in (f"{name}.weight", f"{name}.bias") if key not in state]
        if missing:
            raise ValueError(f"not a linear depth head of Meta's: expected {', '.join(missing)}, got {len(state)} keys")
        weight = np.asarray(torch.as_tensor(state[f"{name}.weight"]).to(torch.float32))
        bias = np.asarray(torch.as_tensor(state[f"{name}.bias"]).to(torch.float32))
        if weight.ndim != 4 or weight.shape[2:] != (1, 1) or weight.shape[1] % (2 * len(about.blocks)):
            raise ValueError(
                f"{name}.weight: expected (bins, 2 D x {len(about.blocks)} blocks, 1, 1), got {weight.shape}"
            )
        return DepthLinear(weight[:, :, 0, 0], bias, about)


def _upsampled(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(B, h, w, K) to (B, H, W, K), bilinear, corners not aligned."""
    channels_first = torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 1)))
    larger = F.interpolate(channels_first, size=size, mode="bilinear", align_corners=False)
    return np.moveaxis(larger.numpy(), 1, -1)

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
            return in_range(np.exp(logits[:, 0].numpy()), self.about, focal_px)
        coarse = F.avg_pool2d(self._expected_bin(logits), UPSAMPLING)
        return in_range(coarse.numpy(), self.about, focal_px)

    def predict_map(
        self, taps: Taps, grid: tuple[int, int], size: tuple[int, int], focal_px: float | None = None
    ) -> np.ndarray:
        """Depth per pixel: float32 (B, H, W), arguments as for `predict`; `size` is (H, W)."""
        return in_range(self.raw_map(taps, grid, size), self.about, focal_px)

    def raw_map(self, taps: Taps, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """As `predict_map` before the focal length and the ends of the range count.

        Source: facebookresearch/dinov2 `dinov2/hub/depth/encoder_decoder.py` `encode_decode` @b8931f7: clamp, then
        bilinear, corners not aligned.
        """
        logits = self._logits(taps, grid)
        if self.about.form == "log":
            return np.exp(_upsampled(logits, size)[:, 0].numpy())
        fine = self._expected_bin(logits).clamp_(*self.about.range_metres)
        return _upsampled(fine[:, None], size)[:, 0].numpy()

    def _logits(self, taps: Taps, grid: tuple[int, int]) -> torch.Tensor:
        """float32 (B, K, h, w): the layer at patch resolution, its class-token half once per picture.

        Exact: a 1 x 1 convolution commutes with bilinear upsampling, and with a map that is the same everywhere.
        """
        halves = torch.from_numpy(self.weight).chunk(2 * len(self.about.blocks), dim=1)
        total = torch.from_numpy(self.bias)[:, None]  # (K, 1)
        for for_patch, for_cls, block in zip(halves[::2], halves[1::2], self.about.blocks, strict=True):
            cls, patches = (torch.as_tensor(each).to("cpu", torch.float32) for each in taps[block])
            total = total + for_patch @ patches.transpose(1, 2) + (cls @ for_cls.T)[..., None]  # (B, K, N)
        return total.reshape(len(total), -1, *grid)

    def _expected_bin(self, logits: torch.Tensor) -> torch.Tensor:
        """(B, K, h, w) to (B, 4 h, 4 w): upsample, relu, + 0.1, normalise, expected value over equally spaced bins.

        Source: facebookresearch/dinov2 `dinov2/hub/depth/decode_heads.py` @b8931f7 (`linear` normalisation, `UD`
        bins). Differs: one buffer of K channels, worked on in place; the sum divides the expected value.
        """
        fine = (logits.shape[2] * UPSAMPLING, logits.shape[3] * UPSAMPLING)
        share = _upsampled(logits, fine).relu_().add_(0.1)
        bins = torch.linspace(*self.about.range_metres, share.shape[1])
        expected = torch.matmul(bins, share.flatten(2)).div_(share.sum(dim=1).flatten(1))  # (B, 16 N)
        return expected.unflatten(1, fine)

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
            state: Tensors of a `..._linear_head.pth` or `..._linear4_head.pth`, with or without `decode_head.`.
            about: `bins`; the range is the one that the head was trained with (NYU 0.001 to 10, KITTI 0.001 to 80).
                Upstream's hub builder says 80 for both, which makes NYU depth eight times too large.

        Raises:
            ValueError: a tensor is missing or has another shape than `about.blocks` asks for.
        """
        name = "conv_depth" if "conv_depth.weight" in state else "decode_head.conv_depth"
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


def _upsampled(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(B, K, h, w) to (B, K, H, W), bilinear, corners not aligned."""
    return F.interpolate(values, size=size, mode="bilinear", align_corners=False)

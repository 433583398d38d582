"""Depth from a DPT decoder on the tokens of four blocks: Meta's, Hugging Face's and Depth Anything's heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn import functional as F

from operators.backbone.errors import WeightsError
from operators.heads.depth_about import DepthAbout, Taps, about_from, in_range
from operators.heads.dpt_layers import DptDecoder, DptShape
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

KIND = "depth_dpt"


@dataclass(frozen=True, slots=True, repr=False)
class DepthDpt:
    """A decoder and what it says about itself. Thread-safe: weights are shared, and a call keeps nothing."""

    decoder: DptDecoder
    about: DepthAbout

    def __repr__(self) -> str:
        return f"DepthDpt({self.about.form}, {self.decoder.shape}, for {self.about.backbone})"

    def predict(self, taps: Taps, grid: tuple[int, int], focal_px: float | None = None) -> np.ndarray:
        """Depth on the patch grid: the mean of the head's own map over each patch.

        Args:
            taps: tokens of `about.blocks`, raw or normed as `about.is_normed` says.
            grid: (h, w) patches.
            focal_px: of the camera, in pixels of the model-size picture; None: not known.

        Returns:
            float32 (B, h, w): metres along the optical axis, NaN within 2 % of the ends of the range; or inverse depth.
        """
        with torch.inference_mode():
            coarse = F.adaptive_avg_pool2d(self._values(taps, grid)[:, None], grid)[:, 0]
            return in_range(_host(coarse), self.about, focal_px)

    def predict_map(
        self, taps: Taps, grid: tuple[int, int], size: tuple[int, int], focal_px: float | None = None
    ) -> np.ndarray:
        """Depth per pixel: float32 (B, H, W), arguments as for `predict`; `size` is (H, W)."""
        return in_range(self.raw_map(taps, grid, size), self.about, focal_px)

    def raw_map(self, taps: Taps, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """What the authors' code gives: float32 (B, H, W) at the reference focal length, nothing left out.

        Source: DPT maps are resized with corners not aligned (facebookresearch/dinov2 `encode_decode`), Depth
        Anything's with corners aligned (`infer_image`).
        """
        with torch.inference_mode():
            values = self._values(taps, grid)[:, None]
            if values.shape[2:] != size:
                is_aligned = self.decoder.shape.style == "depth_anything"
                values = F.interpolate(values, size=size, mode="bilinear", align_corners=is_aligned)
            return _host(values[:, 0])

    def _values(self, taps: Taps, grid: tuple[int, int]) -> torch.Tensor:
        """(B, H, W) after the last activation, at the decoder's own size."""
        device = next(self.decoder.parameters()).device
        read = [
            tuple(torch.as_tensor(each).to(device, torch.float32) for each in taps[block])
            for block in self.about.blocks
        ]
        x = self.decoder([(cls, patches) for cls, patches in read], grid)
        least, largest = self.about.range_metres
        match self.about.form:
            case "relu_clamped":
                return F.relu_(x).add_(least).clamp_(least, largest)
            case "sigmoid":
                return torch.sigmoid_(x).mul_(largest)
            case _:
                return F.relu_(x)

    def to(self, device: str | torch.device) -> DepthDpt:
        """The same head with its weights on `device`."""
        tensors = {name: tensor.to(device) for name, tensor in self.decoder.state_dict().items()}
        return DepthDpt.build(self.decoder.shape, tensors, self.about)

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        arrays = {name: _host(tensor) for name, tensor in self.decoder.state_dict().items()}
        return to_tensor_bytes(KIND, arrays, {**asdict(self.about), "shape": asdict(self.decoder.shape)})

    @staticmethod
    def from_bytes(data: bytes) -> DepthDpt:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is not a depth head of this kind, or is damaged.
        """
        arrays, values = from_tensor_bytes(KIND, data)
        try:
            said = values["shape"]
            first, second, third, last = said["channels"]
            shape = DptShape(said["style"], said["dim"], (first, second, third, last), said["width"], said["has_bias"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a DPT depth head: its sizes are not said ({error!r})") from None
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return DepthDpt.build(shape, tensors, about_from(values))

    @staticmethod
    def build(shape: DptShape, tensors: Mapping[str, torch.Tensor], about: DepthAbout, where: str = "") -> DepthDpt:
        """From tensors by our names.

        Args:
            shape: of the decoder.
            tensors: floating point; they are read as float32.
            about: of the head.
            where: the file, for messages.

        Raises:
            WeightsError: a tensor is missing, unknown, of another shape, or not finite.
        """
        check_tensors(shape, tensors, where or "this head")
        with torch.device("meta"):
            decoder = DptDecoder(shape)
        ready = {name: tensor.detach().to(torch.float32).contiguous() for name, tensor in tensors.items()}
        decoder.load_state_dict(ready, strict=True, assign=True)
        return DepthDpt(decoder.requires_grad_(requires_grad=False).eval(), about)


def check_tensors(shape: DptShape, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """One clear error for what does not make a decoder.

    Raises:
        WeightsError: a tensor is missing, unknown, of another shape, or not finite.
    """
    expected = shape.tensor_shapes()
    missing, extra = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing or extra:
        raise WeightsError(
            f"{where} is no whole DPT depth head: {len(missing)} tensors missing ({', '.join(missing[:3]) or 'none'}), "
            f"{len(extra)} unknown ({', '.join(extra[:3]) or 'none'}). Fetch it again, or name what it is."
        )
    for name, wanted in expected.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != wanted or not tensor.is_floating_point():
            raise WeightsError(
                f"{where} is no DPT depth head of width {shape.dim}: expected float {wanted} for {name}, got "
                f"{tensor.dtype} {tuple(tensor.shape)}. Fetch it again, or name what it is."
            )
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{where} is damaged: {name} holds values that are not finite. Fetch it again.")


def _host(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()

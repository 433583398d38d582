"""uint8 pictures in, float32 tokens out: the one place that knows devices, precision and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from operators.backbone.preprocess import centre_pad, normalise
from operators.backbone.vit import Tokens, VisionTransformer

BUCKETS = (1, 2, 4, 8, 16, 32)
"""Batch sizes that a GPU sees: a batch is padded up to the next one, so that few kernels are chosen and kept."""


@dataclass(frozen=True, slots=True, repr=False)
class EngineOutput:
    """Tokens of one batch, on the CPU. N = h * w, row-major."""

    cls: np.ndarray
    """float32 (B, D) class token after the final norm."""
    patches: np.ndarray
    """float32 (B, N, D) patch tokens after the final norm."""
    taps: Mapping[int, tuple[np.ndarray, np.ndarray]]
    """Per 0-based block, without norm: float32 class token (B, D) and patch tokens (B, N, D)."""
    normed: Mapping[int, tuple[np.ndarray, np.ndarray]]
    """The same after the model's final norm."""
    registers: np.ndarray
    """float32 (B, R, D) register tokens after the final norm; R is 0 for backbones without them."""


class Engine:
    """Runs a backbone. Thread-safe: weights are shared, and a call keeps nothing.

    Lanes: on a CPU, several threads that each call `run` with one intra-op thread keep more of their speed beside
    decoders than one call on several threads. The process that owns the lanes says `torch.set_num_threads(1)` first.
    """

    def __init__(self, backbone: VisionTransformer, precision: Literal["auto", "fp32", "bf16"] = "auto") -> None:
        """Moves nothing; casts `backbone` (in place) where the chosen precision differs from its own."""
        self.precision = choose_precision(backbone.device.type) if precision == "auto" else precision
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        if backbone.dtype != dtype:
            backbone.cast(dtype)
        self.backbone = backbone
        self._stream = torch.cuda.Stream(backbone.device) if backbone.device.type == "cuda" else None

    def run(
        self,
        pixels: np.ndarray,
        taps: Sequence[int] = (),
        stop_after: int | None = None,
        normed: Sequence[int] = (),
        *,
        is_padded: bool = False,
    ) -> EngineOutput:
        """One pass.

        Args:
            pixels: uint8 (B, H, W, 3) RGB, sides multiples of the backbone's patch.
            taps: 0-based blocks whose raw tokens are wanted too.
            stop_after: Run only up to this block; `cls` and `patches` are then the norm of its output.
            normed: 0-based blocks whose tokens are wanted after the model's final norm.
            is_padded: Take sides of any length and pad them (`preprocess.centre_pad`).
        """
        if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or not len(pixels):
            raise ValueError(f"pixels: expected uint8 (B, H, W, 3) RGB with B >= 1, got {pixels.dtype} {pixels.shape}")
        with torch.inference_mode():
            if self._stream is not None:
                uploaded = self._upload(pixels, self._stream)
            else:
                uploaded = torch.from_numpy(np.ascontiguousarray(pixels))
            x = normalise(uploaded, self.backbone.dtype)
            return self._forward(
                centre_pad(x, self.backbone.arch.patch) if is_padded else x, len(pixels), taps, stop_after, normed
            )

    def _upload(self, pixels: np.ndarray, stream: torch.cuda.Stream) -> torch.Tensor:
        """Padded to a bucket, uploaded from pinned memory on a side stream; normalised on the device later."""
        count = len(pixels)
        bucket = next((size for size in BUCKETS if size >= count), count)
        pinned = torch.empty((bucket, *pixels.shape[1:]), dtype=torch.uint8, pin_memory=True)
        pinned[:count] = torch.from_numpy(np.ascontiguousarray(pixels))
        pinned[count:] = 0
        compute = torch.cuda.current_stream(self.backbone.device)
        with torch.cuda.stream(stream):
            uploaded = pinned.to(self.backbone.device, non_blocking=True)
        compute.wait_stream(stream)
        uploaded.record_stream(compute)
        return uploaded

    def _forward(
        self, x: torch.Tensor, count: int, taps: Sequence[int], stop_after: int | None, normed: Sequence[int]
    ) -> EngineOutput:
        """`x`: normalised (B, 3, H, W)."""
        wanted = sorted({*taps, *normed})
        final, raw = self.backbone.taps(x, wanted, stop_after)
        last = self.backbone.arch.depth - 1 if stop_after is None else stop_after
        after = {index: final if index == last else self.backbone.normed(raw[index]) for index in sorted(set(normed))}
        return EngineOutput(
            cls=_host(final.cls[:count]),
            patches=_host(final.patches[:count]),
            taps={index: _pair(raw[index], count) for index in sorted(set(taps))},
            normed={index: _pair(each, count) for index, each in after.items()},
            registers=_host(final.registers[:count]),
        )


def _pair(tokens: Tokens, count: int) -> tuple[np.ndarray, np.ndarray]:
    return _host(tokens.cls[:count]), _host(tokens.patches[:count])


def _host(tensor: torch.Tensor) -> np.ndarray:
    return tensor.to("cpu", torch.float32).contiguous().numpy()


def choose_precision(device: str = "cpu") -> Literal["fp32", "bf16"]:
    """bf16 where the hardware multiplies it natively, else fp32 (emulated bf16 is slower than fp32)."""
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if has_native_bf16(Path("/proc/cpuinfo")) else "fp32"


def has_native_bf16(cpuinfo: Path) -> bool:
    """Whether the processor lists an instruction that multiplies bf16 (AVX-512 BF16, AMX, or Arm's BF16)."""
    if not cpuinfo.exists():
        return False
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(value.split())
    return False

"""Where the model computes: a GPU that was asked for is tried first, and what stands against it is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch


@dataclass(frozen=True, slots=True)
class Device:
    """A choice and why it is not the GPU that was wished for."""

    kind: Literal["cpu", "cuda"]
    reason: str = ""


def choose_device(wants_gpu: bool) -> Device:
    """`cuda` if it is wanted and computes, else `cpu`; `reason` is empty unless the wish could not be granted."""
    if not wants_gpu:
        return Device("cpu")
    if not torch.cuda.is_available():
        return Device("cpu", "torch sees no CUDA device")
    try:
        square = torch.ones((8, 8), device="cuda")
        (square @ square).sum().item()
    except RuntimeError as error:  # a driver too old, a card without a kernel for it, memory that others hold
        return Device("cpu", f"the GPU does not compute: {str(error).splitlines()[0]}")
    return Device("cuda")

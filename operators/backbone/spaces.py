"""Fingerprints of weights, and the names of the spaces that vectors live in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from operators.backbone.architectures import Architecture
from operators.backbone.position import PositionRule


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Where a backbone's weights come from; shown wherever results are."""

    weights: str
    """`official`, `standin`, `random`, or the name of a file."""
    origin: str
    """One sentence for people."""
    licence: str
    """SPDX-like, lower case; `unstated` for a file that does not say."""
    commercial: str
    """`yes`, `no` or `unstated`."""
    trained_on: str
    fingerprint: str
    published_as: str = ""
    """Architecture whose published weights these are, going by the layout of their file: the official ones, or a file
    in Meta's, Hugging Face's or Depth Anything's layout. Empty for the stand-in, random weights and files of ours."""


def fingerprint_of(tensors: Mapping[str, torch.Tensor], arch: Architecture, position: PositionRule) -> str:
    """sha256 over canonical float32 tensors (name, shape, little-endian values; sorted), architecture and rule."""
    shape = (arch.sizes_of or arch.name, arch.dim, arch.depth, arch.heads, arch.ffn, arch.registers, position)
    digest = hashlib.sha256(repr(shape).encode())
    for name in sorted(arch.tensor_shapes()):
        tensor = tensors[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"|{name}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def space_of(fingerprint: str, shape: tuple[int, int], *, colour: str, tap: str, norm: str, pooling: str) -> str:
    """sha256 that names a space: vectors of different spaces never meet.

    Args:
        fingerprint: Of the backbone.
        shape: (H, W); what counts is its class, the length of the shorter side: it sets how large things appear to the
            model, so a bank of upright pictures may serve a camera with a wide one.
        colour: Order and range of the channels, `rgb` for full-range RGB.
        tap: `cls`, `patches`, or `block:K`.
        norm: `final` or `none`.
        pooling: `none`, or `mask_mean` for the mean over a subject's patches.
    """
    parts = {
        "backbone": fingerprint,
        "short_side": min(shape),
        "colour": colour,
        "tap": tap,
        "norm": norm,
        "pooling": pooling,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

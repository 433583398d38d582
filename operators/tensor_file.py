"""Our own small files: arrays and a few facts about them, as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save


def to_tensor_bytes(kind: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> bytes:
    """Arrays and JSON values as safetensors bytes; equal values give equal bytes.

    The facts lie under the one metadata key `about`: the format writes several keys in no fixed order.
    """
    text = json.dumps({"kind": kind, **about}, sort_keys=True)
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata={"about": text})


def tensor_file_kind(data: bytes) -> str:
    """What `to_tensor_bytes` was told.

    Raises:
        ValueError: the bytes are not safetensors, are cut short, or are not ours.
    """
    kind = str(_about(data).get("kind", ""))
    if not kind:
        raise ValueError("expected a file that this program wrote, got safetensors without a kind")
    return kind


def from_tensor_bytes(kind: str, data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `to_tensor_bytes` wrote.

    Raises:
        ValueError: the bytes are not safetensors, are cut short, or are of another kind.
    """
    about = _about(data)
    if about.get("kind") != kind:
        raise ValueError(f"expected a file of kind {kind!r}, got {about.get('kind')!r}")
    try:
        return load(data), about
    except SafetensorError as error:
        raise ValueError(f"damaged: the tensors cannot be read ({error})") from None


def _about(data: bytes) -> dict[str, Any]:
    """Source: safetensors format, 8 bytes of little-endian header length, then JSON with `__metadata__`."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError(f"not safetensors: a header of {length} bytes does not fit into {len(data)} bytes")
    try:
        return dict(json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["about"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError("not a file that this program wrote: its header does not say what it is") from None

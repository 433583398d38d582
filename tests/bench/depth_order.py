"""`python -m tests.bench.depth_order [dinov2_vits14 ...]`: a linear depth head on four layers at 518 x 518, two orders.

Upstream upsamples the tokens of four blocks fourfold, each beside its broadcast class token, then convolves; the same
values come from convolving first, with the class token's half once. Both run in turns on the same seeded tokens, one
thread each; time is the median of the turns, memory the peak that a call adds to the process (Linux). Limits: at least
8 times less time and 10 times less memory, values within 1e-4.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import ctypes
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn import functional as F

from operators.backbone.architectures import architecture
from operators.heads.depth_about import Taps
from operators.heads.depth_linear import DepthLinear
from operators.heads.depth_published import meta_about

SIZE = (518, 518)
GRID = (37, 37)
TURNS = 9
BINS = 256


def seeded(name: str) -> tuple[DepthLinear, Taps]:
    arch = architecture(name)
    rng = np.random.default_rng(0)
    about = meta_about("bins", arch, 4, "nyu_linear4")
    weight = rng.normal(size=(BINS, 8 * arch.dim)).astype(np.float32) / np.float32(np.sqrt(8 * arch.dim))
    taps = {
        block: (
            rng.normal(size=(1, arch.dim)).astype(np.float32),
            rng.normal(size=(1, GRID[0] * GRID[1], arch.dim)).astype(np.float32),
        )
        for block in about.blocks
    }
    return DepthLinear(weight, rng.normal(size=BINS).astype(np.float32), about), taps


def upstream_order(head: DepthLinear, taps: Taps) -> np.ndarray:
    """Source: facebookresearch/dinov2 `dinov2/hub/depth/decode_heads.py`, `encoder_decoder.py` @b8931f7: the order."""
    maps = []
    for block in head.about.blocks:
        cls, patches = (torch.from_numpy(each) for each in taps[block])
        patch_map = patches.transpose(1, 2).reshape(1, -1, *GRID)
        both = torch.cat([patch_map, cls[:, :, None, None].expand_as(patch_map)], dim=1)
        maps.append(F.interpolate(both, scale_factor=4, mode="bilinear", align_corners=False))
    logits = F.conv2d(
        torch.cat(maps, dim=1), torch.from_numpy(head.weight)[:, :, None, None], torch.from_numpy(head.bias)
    )
    share = torch.relu(logits) + 0.1
    share = share / share.sum(dim=1, keepdim=True)
    depth = torch.einsum("ikmn,k->imn", share, torch.linspace(*head.about.range_metres, BINS))[:, None]
    depth = depth.clamp(*head.about.range_metres)
    return F.interpolate(depth, size=SIZE, mode="bilinear", align_corners=False)[:, 0].numpy()


def our_order(head: DepthLinear, taps: Taps) -> np.ndarray:
    return head.raw_map(taps, GRID, SIZE)


def peak_bytes(call: Callable[[], object]) -> int:
    """Resident memory that `call` adds at its worst."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = _resident("VmRSS")
    call()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if found is None:
        raise SystemExit(f"/proc/self/status has no {field}: this measurement needs Linux")
    return int(found[1]) * 1024


def measure(name: str) -> bool:
    """Prints the figures; whether they keep the limits."""
    head, taps = seeded(name)
    orders = {"upstream": upstream_order, "ours": our_order}
    values = {key: order(head, taps) for key, order in orders.items()}
    seconds: dict[str, list[float]] = {key: [] for key in orders}
    for _ in range(TURNS):
        for key, order in orders.items():
            start = time.perf_counter()
            order(head, taps)
            seconds[key].append(time.perf_counter() - start)
    peaks = {
        key: median(peak_bytes(lambda order=order: order(head, taps)) for _ in range(3))
        for key, order in orders.items()
    }
    error = np.abs(values["ours"] - values["upstream"]).max() / np.abs(values["upstream"]).max()
    times = [slow / fast for slow, fast in zip(seconds["upstream"], seconds["ours"], strict=True)]
    print(
        f"{name}: upstream {1000 * median(seconds['upstream']):.0f} ms, {peaks['upstream'] / 1e6:.0f} MB; "
        f"ours {1000 * median(seconds['ours']):.1f} ms, {peaks['ours'] / 1e6:.0f} MB; "
        f"{median(times):.1f}x less time ({min(times):.1f} to {max(times):.1f}), "
        f"{peaks['upstream'] / peaks['ours']:.1f}x less memory; values differ by {error:.1e}"
    )
    return median(times) >= 8 and peaks["upstream"] >= 10 * peaks["ours"] and error <= 1e-4


def main(names: list[str]) -> int:
    torch.set_num_threads(1)
    with torch.inference_mode():
        kept = [measure(name) for name in names or ["dinov2_vits14", "dinov2_vitb14", "dinov2_vitl14"]]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

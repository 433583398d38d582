"""The closed table of backbones and the names, shapes and order of their tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

DINOV2_PATCH = 14
"""Side of a patch in pixels. Source: arXiv 2304.07193."""
DINOV3_PATCH = 16
"""Source: arXiv 2508.10104."""

GRID = 37
"""Side of the grid of positions that every DINOv2 was trained with (518 px). Source: arXiv 2304.07193, appendix."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of one vision transformer.

    Source: facebookresearch/dinov2 `dinov2/models/vision_transformer.py` and `dinov2/hub/backbones.py` @b8931f7
    (Apache-2.0); facebookresearch/dinov3, the same two files, @6876159 (read, not copied: DINOv3 License).
    """

    name: str
    dim: int
    """D, width of a token."""
    depth: int
    """Number of blocks."""
    heads: int
    ffn: Literal["mlp", "swiglu"] = "mlp"
    registers: int = 0
    """R, register tokens."""
    sizes_of: str = ""
    """Name of the architecture that it shares everything but the published weights with; empty: its own."""
    patch: int = DINOV2_PATCH
    """Side of a patch in pixels; sides of pictures are multiples of it."""
    norm_eps: float = 1e-6
    """Of every layer norm."""
    is_rotary: bool = False
    """Whether places are told by turning queries and keys (DINOv3), not by learnt embeddings (DINOv2)."""
    ffn_ratio: int = 4

    @property
    def hidden(self) -> int:
        """Width inside the feed-forward part: 4 D, or for SwiGLU two thirds of it rounded up to a multiple of 8."""
        full = self.ffn_ratio * self.dim
        if self.ffn == "mlp":
            return full
        return (int(full * 2 / 3) + 7) // 8 * 8

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads

    @property
    def usual_shapes(self) -> tuple[tuple[int, int], ...]:
        """(H, W) for 16:9, 4:3 and square pictures, 224 pixels high."""
        widths = (round(224 * aspect / self.patch) * self.patch for aspect in (16 / 9, 4 / 3, 1))
        return tuple((224, width) for width in widths)

    @property
    def num_parameters(self) -> int:
        """Values in all canonical tensors."""
        return sum(prod(shape) for shape in self.tensor_shapes().values())

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Canonical tensors by Meta's names, without the `mask_token`, which inference never reads."""
        dim = self.dim
        shapes: dict[str, tuple[int, ...]] = {
            "cls_token": (1, 1, dim),
            "patch_embed.proj.weight": (dim, 3, self.patch, self.patch),
            "patch_embed.proj.bias": (dim,),
            "norm.weight": (dim,),
            "norm.bias": (dim,),
        }
        if self.is_rotary:
            shapes["rope_embed.periods"] = (self.head_dim // 4,)
        else:
            shapes["pos_embed"] = (1, 1 + GRID * GRID, dim)
        if self.registers:
            shapes["register_tokens"] = (1, self.registers, dim)
        for index in range(self.depth):
            for name, shape in self._block_shapes().items():
                shapes[f"blocks.{index}.{name}"] = shape
        return shapes

    def _block_shapes(self) -> dict[str, tuple[int, ...]]:
        dim, hidden = self.dim, self.hidden
        linears = {"attn.qkv": (3 * dim, dim), "attn.proj": (dim, dim)}
        if self.ffn == "mlp":
            linears |= {"mlp.fc1": (hidden, dim), "mlp.fc2": (dim, hidden)}
        else:
            linears |= {"mlp.w12": (2 * hidden, dim), "mlp.w3": (dim, hidden)}
        shapes: dict[str, tuple[int, ...]] = {"ls1.gamma": (dim,), "ls2.gamma": (dim,)}
        for name, shape in linears.items():
            shapes[f"{name}.weight"] = shape
            shapes[f"{name}.bias"] = shape[:1]
        for name in ("norm1", "norm2"):
            shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (dim,)
        return shapes


def _family() -> dict[str, Architecture]:
    sizes = (("s", 384, 12, 6), ("b", 768, 12, 12), ("l", 1024, 24, 16), ("g", 1536, 40, 24))
    table: dict[str, Architecture] = {}
    for letter, dim, depth, heads in sizes:
        for registers in (0, 4):
            name = f"dinov2_vit{letter}14" + ("_reg4" if registers else "")
            table[name] = Architecture(name, dim, depth, heads, "swiglu" if letter == "g" else "mlp", registers)
    return table | _dinov3() | _depth_anything(table)


def _dinov3() -> dict[str, Architecture]:
    sizes = (("s", 384, 12, 6), ("splus", 384, 12, 6), ("b", 768, 12, 12), ("l", 1024, 24, 16), ("hplus", 1280, 32, 20))
    table: dict[str, Architecture] = {}
    for size, dim, depth, heads in sizes:
        is_plus = size.endswith("plus")
        name = f"dinov3_vit{size.removesuffix('plus')}16{'plus' if is_plus else ''}"
        table[name] = Architecture(
            name,
            dim,
            depth,
            heads,
            "swiglu" if is_plus else "mlp",
            registers=4,
            patch=DINOV3_PATCH,
            norm_eps=1e-5,
            is_rotary=True,
            ffn_ratio=6 if is_plus else 4,
        )
    return table


def _depth_anything(table: dict[str, Architecture]) -> dict[str, Architecture]:
    """Encoders that Depth Anything V2 fine-tuned, one per published head: same sizes, weights of their own.

    Source: DepthAnything/Depth-Anything-V2 `depth_anything_v2/dpt.py` and `metric_depth/README.md` @a561b84.
    """
    sizes = {"small": "dinov2_vits14", "base": "dinov2_vitb14", "large": "dinov2_vitl14"}
    kinds = ("", "_metric_indoor", "_metric_outdoor")
    names = {f"depth_anything_v2_{size}{kind}": shared for kind in kinds for size, shared in sizes.items()}
    return {name: replace(table[shared], name=name, sizes_of=shared) for name, shared in names.items()}


ARCHITECTURES = _family()


def architecture(name: str) -> Architecture:
    """The architecture called `name`; the hub's shorter `..._reg` is understood as `..._reg4`.

    Raises:
        ValueError: there is none.
    """
    found = ARCHITECTURES.get(f"{name}4" if name.endswith("_reg") else name)
    if found is None:
        raise ValueError(f"unknown backbone: expected one of {', '.join(ARCHITECTURES)}, got {name!r}")
    return found

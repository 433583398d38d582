"""Names of a DPT decoder's tensors in three layouts, to ours (`dpt_layers.DptDecoder`).

Source: facebookresearch/dinov2 `dinov2/hub/depth/decode_heads.py` @b8931f7; DepthAnything/Depth-Anything-V2
`depth_anything_v2/dpt.py` @a561b84; transformers 5.24 `modeling_dpt.py`, `modeling_depth_anything.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch

from operators.backbone.errors import WeightsError
from operators.heads.dpt_layers import DptShape, Style

_UNITS = {"1": "skip", "2": "own"}
_HEADS = {"0": "0", "2": "1", "4": "2"}
_Row = tuple[str, Callable[..., str]]

_META: tuple[_Row, ...] = (
    (r"reassemble_blocks\.readout_projects\.(\d)\.0\.(\w+)", "readout.{}.linear.{}".format),
    (r"reassemble_blocks\.projects\.(\d)\.conv\.(\w+)", "project.{}.{}".format),
    (r"reassemble_blocks\.resize_layers\.(\d)\.(\w+)", "resize.{}.{}".format),
    (r"convs\.(\d)\.conv\.(\w+)", "conv.{}.{}".format),
    (r"fusion_blocks\.(\d)\.project\.conv\.(\w+)", "fusion.{}.out.{}".format),
    (
        r"fusion_blocks\.(\d)\.res_conv_unit([12])\.conv([12])\.conv\.(\w+)",
        lambda index, unit, conv, kind: f"fusion.{index}.{_UNITS[unit]}.conv{conv}.{kind}",
    ),
    (r"project\.conv\.(\w+)", "middle.{}".format),
    (r"conv_depth\.head\.([024])\.(\w+)", lambda place, kind: f"head.{_HEADS[place]}.{kind}"),
)
_DEPTH_ANYTHING: tuple[_Row, ...] = (
    (r"projects\.(\d)\.(\w+)", "project.{}.{}".format),
    (r"resize_layers\.(\d)\.(\w+)", "resize.{}.{}".format),
    (r"scratch\.layer([1-4])_rn\.(\w+)", lambda layer, kind: f"conv.{int(layer) - 1}.{kind}"),
    (r"scratch\.refinenet([1-4])\.out_conv\.(\w+)", lambda net, kind: f"fusion.{4 - int(net)}.out.{kind}"),
    (
        r"scratch\.refinenet([1-4])\.resConfUnit([12])\.conv([12])\.(\w+)",
        lambda net, unit, conv, kind: f"fusion.{4 - int(net)}.{_UNITS[unit]}.conv{conv}.{kind}",
    ),
    (r"scratch\.output_conv1\.(\w+)", "head.0.{}".format),
    (r"scratch\.output_conv2\.([02])\.(\w+)", lambda place, kind: f"head.{1 + int(place) // 2}.{kind}"),
)
_HUGGINGFACE: tuple[_Row, ...] = (
    (r"neck\.reassemble_stage\.readout_projects\.(\d)\.0\.(\w+)", "readout.{}.linear.{}".format),
    (r"neck\.reassemble_stage\.layers\.(\d)\.projection\.(\w+)", "project.{}.{}".format),
    (r"neck\.reassemble_stage\.layers\.(\d)\.resize\.(\w+)", "resize.{}.{}".format),
    (r"neck\.convs\.(\d)\.(\w+)", "conv.{}.{}".format),
    (r"neck\.fusion_stage\.layers\.(\d)\.projection\.(\w+)", "fusion.{}.out.{}".format),
    (
        r"neck\.fusion_stage\.layers\.(\d)\.residual_layer([12])\.convolution([12])\.(\w+)",
        lambda index, unit, conv, kind: f"fusion.{index}.{_UNITS[unit]}.conv{conv}.{kind}",
    ),
    (r"head\.projection\.(\w+)", "middle.{}".format),
    (r"head\.head\.([024])\.(\w+)", lambda place, kind: f"head.{_HEADS[place]}.{kind}"),
    (r"head\.conv([123])\.(\w+)", lambda place, kind: f"head.{int(place) - 1}.{kind}"),
)


def decoder_tensors(raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
    """The decoder's tensors by our names; None: there is no DPT decoder in it.

    A tensor of the head that no table knows keeps its name, so that it is reported. The coarsest fusion's first
    residual unit is stored by two layouts and read by none: it is left out.

    Args:
        raw: as the file names them; the backbone's tensors may be among them.
    """
    if any(name.startswith("depth_head.") for name in raw):
        rows, prefix = _DEPTH_ANYTHING, "depth_head."
    elif any(name.startswith("neck.") for name in raw):
        rows, prefix = _HUGGINGFACE, ""
        raw = {name: tensor for name, tensor in raw.items() if name.startswith(("neck.", "head."))}
    elif any("reassemble_blocks." in name for name in raw):
        rows = _META
        prefix = "decode_head." if any(name.startswith("decode_head.") for name in raw) else ""
    else:
        return None
    named = {name.removeprefix(prefix): tensor for name, tensor in raw.items() if name.startswith(prefix)}
    ours = {_renamed(name, rows): tensor for name, tensor in named.items()}
    return {name: tensor for name, tensor in ours.items() if not name.startswith("fusion.0.skip.")}


def decoder_shape(tensors: Mapping[str, torch.Tensor], where: str) -> DptShape:
    """Sizes as the tensors have them.

    Raises:
        WeightsError: a tensor that says them is missing.
    """
    names = [f"project.{index}.weight" for index in range(4)] + ["conv.0.weight"]
    missing = [name for name in names if name not in tensors or tensors[name].ndim != 4]
    if missing:
        raise WeightsError(
            f"{where} is no whole DPT depth head: expected four-dimensional {', '.join(missing[:3])}, got none. "
            "Fetch it again, or name what it is."
        )
    first, second, third, last = (int(tensors[name].shape[0]) for name in names[:4])
    style: Style = "dpt" if any(name.startswith(("readout.", "middle.")) for name in tensors) else "depth_anything"
    return DptShape(
        style=style,
        dim=int(tensors[names[0]].shape[1]),
        channels=(first, second, third, last),
        width=int(tensors[names[4]].shape[0]),
        has_bias="fusion.0.own.conv1.bias" in tensors,
    )


def _renamed(name: str, rows: tuple[_Row, ...]) -> str:
    for pattern, ours in rows:
        if (found := re.fullmatch(pattern, name)) is not None:
            return ours(*found.groups())
    return name

"""The DINOv2 backbone: pixels in, tokens out.

What it exports is imported at first use, since torch takes seconds and configuration needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operators.backbone.checkpoints import load_backbone
    from operators.backbone.engine import Engine, EngineOutput
    from operators.backbone.errors import WeightsError
    from operators.backbone.vit import Tokens, VisionTransformer

__all__ = ["Engine", "EngineOutput", "Tokens", "VisionTransformer", "WeightsError", "load_backbone"]

_MODULES = {
    "load_backbone": "checkpoints",
    "Engine": "engine",
    "EngineOutput": "engine",
    "WeightsError": "errors",
    "Tokens": "vit",
    "VisionTransformer": "vit",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"operators.backbone.{_MODULES[name]}"), name)

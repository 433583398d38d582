"""The DINOv2 backbone: pixels in, tokens out."""

from operators.backbone.checkpoints import load_backbone
from operators.backbone.engine import Engine, EngineOutput
from operators.backbone.errors import WeightsError
from operators.backbone.vit import Tokens, VisionTransformer

__all__ = ["Engine", "EngineOutput", "Tokens", "VisionTransformer", "WeightsError", "load_backbone"]

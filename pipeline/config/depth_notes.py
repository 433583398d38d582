"""What a person should know of a camera's depth before it runs. Nothing is refused here."""

from __future__ import annotations

from collections.abc import Iterator

from operators.backbone.architectures import architecture
from operators.backbone.config import ModelConfig
from operators.heads.config import DepthHead
from operators.heads.depth_about import DepthAbout
from operators.heads.depth_published import data_set, depth_anything_about, meta_about
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES
from pipeline.config.loader import Config
from pipeline.config.picture_size import floor_of


def depth_notes(config: Config, camera: str, size: tuple[int, int] | None) -> Iterator[str]:
    """One sentence for each depth head of a camera that is used otherwise than it was made for.

    Heads in files are asked once they are loaded: results then say `off_recipe`.

    Args:
        config: whose camera it is.
        camera: its id.
        size: (height, width) of its pictures; None: not known before the first one.
    """
    spec, shapes = config.camera_spec(camera, size), config.model.shapes
    floor = floor_of(config, camera, size)
    for name in spec.heads:
        head = config.heads.get(name)
        if not isinstance(head, DepthHead):
            continue
        if head.checkpoint == "fit_for_view" and size is None and len(shapes) > 1:
            yield (
                f"depth fit_for_view: fitted at {spec.shape[0]}x{spec.shape[1]} before a picture was seen; one that is "
                "nearer to another of model.shapes gets that, with depth that was not fitted there. Name one shape"
            )
        about = _about(config.model, head)
        off = about and about.off_recipe(spec.shape, None if floor is None else floor.focal[1])
        if off:
            yield f"depth {head.checkpoint}: {off}"


def _about(model: ModelConfig, head: DepthHead) -> DepthAbout | None:
    """Of a published head, by its name."""
    if head.checkpoint == "depth_anything":
        trained = data_set(model.backbone)
        largest = None if trained is None else trained.largest_metres
        return depth_anything_about(architecture(model.backbone), "", largest, name=model.backbone)
    if head.checkpoint in OFFICIAL_HEAD_NAMES:
        return meta_about("bins", architecture(model.backbone), 4, head.checkpoint)
    return None

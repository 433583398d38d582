"""`analyze --official-recipe`: depth of each pixel of the whole picture, as the head's published numbers were made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.heads.base import DepthModel
from operators.heads.depth_recipe import is_for_depth_anything, official_depth
from operators.results import Analysis
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture
from pipeline.cli.pictures.depth import write_depth
from pipeline.cli.pictures.panels import seen_part


@dataclass(frozen=True, slots=True)
class PictureDepth:
    """Depth of pictures at their own size, with passes of their own."""

    engine: Engine
    head: DepthModel
    out: Path
    """Folder of the results."""

    def of(self, picture: NamedPicture, analysis: Analysis) -> Analysis:
        """With depth per pixel of the part that the model saw; percentiles are of the whole picture.

        Writes depth/NAME.png as `write_depth`, at the picture's size, or inverse_depth/NAME.npy, float32 (H, W).
        """
        is_mirrored_too = not is_for_depth_anything(self.head)
        full = official_depth(self.engine.backbone, self.head, picture.rgb, is_mirrored_too=is_mirrored_too)
        seen = seen_part(full, analysis.placement, is_map=True)
        if analysis.inverse_depth is not None:
            path = self.out / inverse_file_of(picture.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, full)
            return replace(analysis, inverse_depth=replace(analysis.inverse_depth, values=seen, off_recipe=""))
        assert analysis.depth is not None, "a published head gives one or the other"
        write_depth(self.out, picture.name, full, (full.shape[0], full.shape[1]))
        p05, median = np.percentile(full, (5, 50))
        depth = replace(
            analysis.depth, metres=seen, p05=float(p05), median=float(median), valid_share=1.0, off_recipe=""
        )
        return replace(analysis, depth=depth)


def picture_depth(
    engine: Engine, head: DepthModel | None, out: Path, *, is_asked: bool, hfov: str | None
) -> PictureDepth | None:
    """What `--official-recipe` asks for; None: depth of the live head, on the patch grid.

    Args:
        engine: The backbone.
        head: The depth head; None: there is none.
        out: Folder of the results.
        is_asked: Whether the option was given.
        hfov: As written.

    Raises:
        UserError: no head with a recipe, or a field of view, which no recipe asks for.
    """
    if not is_asked:
        return None
    if head is None or head.about.trained_size is None:
        raise UserError(
            "--official-recipe: expected --depth with a published head such as nyu_dpt, kitti_linear4 or "
            f"depth_anything, got {'none' if head is None else 'a head that was fitted here'}"
        )
    if hfov is not None:
        raise UserError(
            "--official-recipe gives the metres of the camera that the head was trained with, as its authors judge "
            "it: expected no --hfov. Leave one of the two out"
        )
    return PictureDepth(engine, head, out)


def inverse_file_of(name: str) -> str:
    """Where the map of a relative head lies, below the folder of the results."""
    return f"inverse_depth/{name}.npy"

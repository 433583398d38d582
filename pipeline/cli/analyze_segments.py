"""`analyze --segment-by`: a class for each pixel of the whole picture, as the head's published numbers were made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2

from operators.backbone import Engine
from operators.heads.segment import SegmentLinear, segments
from operators.heads.segment_windows import segment_picture
from operators.results import Analysis
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture
from pipeline.cli.pictures.panels import seen_part

WAYS = ("patches", "whole", "windows")


@dataclass(frozen=True, slots=True)
class PictureSegments:
    """Segments of pictures at their own size, with passes of their own."""

    engine: Engine
    head: SegmentLinear
    recipe: Literal["whole", "windows"]
    out: Path
    """Folder of the results."""

    def of(self, picture: NamedPicture, analysis: Analysis) -> Analysis:
        """With the shares of the whole picture and a class per pixel of the part that the model saw.

        Writes segments/NAME.png, uint8: the class of each pixel of the whole picture.
        """
        (coarse,) = analysis.segments
        indices = segment_picture(self.engine, picture.rgb, self.head, self.recipe)
        path = self.out / file_of(picture.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), indices):
            raise OSError(f"cannot write {path}")
        whole = segments(coarse.head, coarse.classes, indices)
        seen = seen_part(indices, analysis.placement, is_map=True)
        return replace(analysis, segments=(replace(whole, indices=seen),))


def picture_segments(engine: Engine, artefact: bytes | None, way: str, out: Path) -> PictureSegments | None:
    """What `--segment-by` asks for; None: segments of the live head, on the patch grid.

    Args:
        engine: The backbone.
        artefact: Of the head; None: there is none.
        way: As written.
        out: Folder of the results.

    Raises:
        UserError: no such way, or no head.
    """
    match way:
        case "patches":
            return None
        case "whole" | "windows":
            if artefact is None:
                raise UserError(f"--segment-by {way}: no head gives segments; name one with --segment")
            return PictureSegments(engine, SegmentLinear.from_bytes(artefact), way, out)
        case _:
            raise UserError(f"--segment-by: expected one of {', '.join(WAYS)}, got {way!r}")


def file_of(name: str) -> str:
    """Where the map of a picture lies, below the folder of the results."""
    return f"segments/{name}.png"

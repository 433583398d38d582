"""Whose metres are metres of the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from operators.backbone.architectures import architecture
from operators.camera import CameraSpec
from operators.frames import Placement
from operators.heads.config import DepthHead
from operators.heads.depth_about import DepthAbout
from operators.heads.depth_heads import DepthHeads
from operators.heads.depth_published import depth_anything_about, huggingface_dpt_about, meta_about
from operators.scene.config import ViewConfig
from tests.unit.operators.heads.depth_models import about

SMALL = architecture("dinov2_vits14")
BLOCKS = (2, 5, 8, 11)
SIZE = (224, 392)
VIEW = ViewConfig(hfov=70.0, height=3.0, pitch=25.0)


@dataclass(frozen=True)
class Named:
    """A head of which only what it says of itself matters."""

    about: DepthAbout


@pytest.mark.parametrize(
    ("said", "is_calibrated"),
    [
        (meta_about("bins", SMALL, 4, "nyu_linear4"), True),
        (huggingface_dpt_about(SMALL, BLOCKS, "dpt-dinov2-small-kitti"), True),
        (huggingface_dpt_about(SMALL, BLOCKS, "my-depth"), False),
        (depth_anything_about(SMALL, "ab", 20.0), True),
        (about(fingerprint="ab"), True),
        (about(fingerprint="ab", reference_focal_px=0.0), True),
    ],
    ids=[
        "nyu",
        "folder of kitti",
        "folder that names no data set",
        "depth anything",
        "fitted",
        "fitted without a view",
    ],
)
def test_metres_need_the_field_of_view_of_camera_and_head(said: DepthAbout, is_calibrated: bool) -> None:
    heads = DepthHeads({"depth": DepthHead(kind="depth")}, {"depth": Named(said)}, said.fingerprint, said.backbone)
    placement, metres = Placement(SIZE, SIZE, (1.0, 1.0)), np.ones((16, 28), np.float32)
    for view in (VIEW, None):
        spec = CameraSpec("gate", SIZE, ("depth",), view)
        assert heads.result(spec, placement, metres).is_calibrated is (is_calibrated and view is not None)

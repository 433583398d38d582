from dataclasses import dataclass, field

import numpy as np
import pytest

from operators.backbone.config import ModelConfig
from operators.camera import CameraSpec
from operators.heads.config import KnnHead
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from pipeline.control.model import ModelSpec, build_analyzer
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore


@dataclass
class Named:
    name: str = "vits"
    weights: str = "random"
    published_as: str = ""


@dataclass
class Backbone:
    arch: Named = field(default_factory=Named)
    info: Named = field(default_factory=Named)
    fingerprint: str = "ab" * 32

    def space(self, shape, **_):
        return f"short side {min(shape)}"


@dataclass
class FakeEngine:
    backbone: Backbone = field(default_factory=Backbone)

    def run(self, pixels):
        return pixels


def spec(tmp_path, shapes, heads=("vehicles",)):
    vectors = VectorSet.of("short side 224", np.eye(4, dtype=np.float32)[:2], np.array([0, 1]))
    ArtefactStore(tmp_path).put("head/vehicles", Bank(("a", "b"), vectors, None, "vits random abab").to_bytes())
    config = ModelConfig.model_validate({"weights": "random", "shapes": shapes})
    camera = CameraSpec("gate", config.shapes[0], heads)
    return ModelSpec(config, {"vehicles": KnnHead(kind="knn", bank="b")}, (camera,), tmp_path, {})


def test_a_bank_of_other_shapes_is_refused_before_the_first_frame(tmp_path):
    with pytest.raises(PipelineError, match=r"heads\.vehicles: the bank does not fit .* at 140x252, got vits random"):
        build_analyzer(spec(tmp_path, ["140x252"]), engine=FakeEngine())


def test_a_camera_may_take_any_of_the_shapes_so_all_must_fit(tmp_path):
    with pytest.raises(PipelineError, match="at 182x140,"):
        build_analyzer(spec(tmp_path, ["224x392", "182x140"]), engine=FakeEngine())


def test_a_bank_that_fits_and_one_that_no_camera_asks_for_are_no_obstacle(tmp_path):
    build_analyzer(spec(tmp_path, ["224x392", "294x224"]), engine=FakeEngine())
    build_analyzer(spec(tmp_path, ["140x252"], heads=("embedding",)), engine=FakeEngine())

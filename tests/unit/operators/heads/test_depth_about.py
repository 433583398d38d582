import pytest

from operators.backbone.architectures import architecture
from operators.heads.depth_about import HeadMismatchError, about_from
from operators.heads.depth_published import blocks_of, depth_anything_about, meta_about
from tests.unit.operators.heads.depth_models import about


def test_a_picture_or_a_focal_length_far_from_the_training_is_off_recipe() -> None:
    nyu = meta_about("bins", architecture("dinov2_vits14"), 4, "nyu_linear4")
    assert nyu.off_recipe((490, 644), 519.0) is None
    assert nyu.off_recipe((490, 644)) is None
    assert nyu.off_recipe((490, 644), 260.0) == "focal length 260 px is 0.50 x the 519 px it was trained with"
    small = nyu.off_recipe((224, 392), 519.0)
    assert small is not None
    assert "short side 224 px is 0.47 x the 480 px" in small
    assert "long side 392 px is 0.61 x the 640 px" in small


def test_squares_were_cut_from_pictures_of_any_proportions() -> None:
    relative = depth_anything_about(architecture("depth_anything_v2_small"), "ab", None)
    assert relative.off_recipe((518, 924), 100.0) is None
    assert relative.off_recipe((350, 630)) == "short side 350 px is 0.68 x the 518 px it was trained with"


def test_heads_fitted_here_are_used_at_their_own_size() -> None:
    assert about().off_recipe((224, 392), 50.0) is None


@pytest.mark.parametrize(
    ("name", "four"),
    [
        ("dinov2_vits14", (2, 5, 8, 11)),
        ("dinov2_vitb14", (2, 5, 8, 11)),
        ("dinov2_vitl14", (4, 11, 17, 23)),
        ("dinov2_vitg14", (9, 19, 29, 39)),
    ],
)
def test_published_heads_read_the_blocks_of_their_authors(name: str, four: tuple[int, ...]) -> None:
    depth = architecture(name).depth
    assert blocks_of(depth, 4) == four
    assert blocks_of(depth, 1) == (depth - 1,)


@pytest.mark.parametrize(
    ("size", "kind", "licence", "largest"),
    [
        ("small", "", "apache-2.0", None),
        ("base", "_metric_indoor", "cc-by-nc-4.0", 20.0),
        ("large", "_metric_outdoor", "cc-by-nc-4.0", 80.0),
    ],
)
def test_depth_anything_states_its_licence(size: str, kind: str, licence: str, largest: float | None) -> None:
    said = depth_anything_about(architecture(f"depth_anything_v2_{size}{kind}"), "ab", largest, name=kind)
    assert said.licence == licence
    assert said.output == ("inverse" if largest is None else "metric")


def test_weights_are_told_apart() -> None:
    fitted, published = about(fingerprint="aa" * 32, backbone=""), about()
    fitted.check_backbone("aa" * 32)
    published.check_backbone("bb" * 32, "dinov2_vits14")
    for said, other in (
        (fitted, ("bb" * 32, "dinov2_vits14")),
        (published, ("bb" * 32, "dinov2_vitb14")),
        (about(backbone=""), ("bb" * 32, "")),
    ):
        with pytest.raises(HeadMismatchError, match="belongs to other weights"):
            said.check_backbone(*other)


def test_what_older_files_do_not_say_has_its_default() -> None:
    old = {"form": "log", "blocks": [1, 2], "reference_focal_px": 1.0, "range_metres": [0.5, 40.0], "fingerprint": "aa"}
    said = about_from(old | {"kind": "depth_linear"})
    assert (said.output, said.is_normed, said.trained_size, said.blocks) == ("metric", False, None, (1, 2))
    for bad in (
        {**old, "range_metres": [1.0]},
        {**old, "blocks": ["a"]},
        {key: old[key] for key in ("form", "blocks")},
    ):
        with pytest.raises(ValueError, match="not what a depth head says about itself"):
            about_from(bad)

from dataclasses import replace

import numpy as np
import pytest

from operators.camera import CameraSpec
from operators.frames import Placement, Ticket, Times
from operators.heads.segment import segments
from operators.results import Analysis, Depth, Label, LineDistance, Subject
from operators.rules.config import RuleConfig
from operators.rules.measures import MEASURES, Reading, parse_measure, read_measure

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
CORNER = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1))
RIGHT = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
CAMERA = CameraSpec(
    camera="dock", shape=(56, 56), zones={"left": LEFT, "right": RIGHT, "corner": CORNER}, lines={"dock": "here"}
)


def subject(column, metres, label="forklift", line="dock", *, is_unknown=False):
    mask = np.zeros((4, 4), dtype=bool)
    mask[2, column] = True
    labels = (Label("vehicles", ((label, 0.9),), is_unknown=is_unknown),) if label else ()
    return Subject((0, 0, 1, 1), mask, (LineDistance(line, metres, 0.1 * metres),), labels)


def analysis(subjects=(), *, depth_metres=5.0, valid_share=1.0, is_calibrated=True, view="view/dock@1", labels=()):
    grid = np.full((4, 4), 0.0 if depth_metres is None else depth_metres, dtype=np.float16)
    depth = None if depth_metres is None else Depth("depth", grid, 5.0, 5.0, valid_share, is_calibrated)
    times = Times(0, 0, 0, "arrival", 0)
    placement = Placement((56, 56), (56, 56), (1.0, 1.0))
    return Analysis(
        Ticket("dock", 1, 1, 1), times, placement, "s", None, depth, tuple(labels), tuple(subjects), view, 2
    )


def read(measure, frame, held=(), lost=(), **rule):
    config = RuleConfig(measure=measure, enter="< 3 m", exit="> 4 m", **rule)
    return read_measure(parse_measure(measure), config, CAMERA, frame, held, lost=lost)


@pytest.mark.parametrize(
    ("text", "name", "args", "percentile", "unit"),
    [
        ("distance_to(dock)", "distance_to", ("dock",), None, "m"),
        ("count_in( apron )", "count_in", ("apron",), None, ""),
        ("camera_depth(apron).p05", "camera_depth", ("apron",), 5.0, "m"),
        ("camera_depth(apron).median", "camera_depth", ("apron",), 50.0, "m"),
        ("score(vehicles.fork-lift)", "score", ("vehicles", "fork-lift"), None, ""),
        ("share_of(parts.bottle, table)", "share_of", ("parts", "bottle", "table"), None, ""),
        ("share_of(ade.chest of drawers,table)", "share_of", ("ade", "chest of drawers", "table"), None, ""),
        ("score(imagenet.jack-o'-lantern)", "score", ("imagenet", "jack-o'-lantern"), None, ""),
        ("similarity(wanted)", "similarity", ("wanted",), None, ""),
        ("novelty", "novelty", (), None, ""),
    ],
)
def test_measures_are_parsed_and_written_back(text, name, args, percentile, unit):
    spec = parse_measure(text)
    assert (spec.name, spec.args, spec.percentile, spec.unit) == (name, args, percentile, unit)
    assert parse_measure(str(spec)) == spec


def test_needs_name_what_the_camera_must_have():
    needs = parse_measure("share_of(parts.bottle, table)").needs
    assert (needs.heads, needs.zones, needs.lines) == (("parts",), ("table",), ())
    assert parse_measure("distance_to(dock)").needs.lines == ("dock",)
    assert parse_measure("distance_to(dock)").needs.subjects
    assert not parse_measure("camera_depth(apron).p05").needs.subjects


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("distance(dock)", "did you mean 'distance_to'"),
        ("distance_to", r"expected distance_to\(LINE\)"),
        ("distance_to(dock, apron)", r"expected distance_to\(LINE\)"),
        ("distance_to(dock).p05", "without a percentile"),
        ("camera_depth(apron)", r"such as camera_depth\(apron\).p05"),
        ("camera_depth(apron).p5", r"such as camera_depth\(apron\).p05"),
        ("score(vehicles)", "HEAD.CLASS"),
        ("score(vehicles.a.b)", "HEAD.CLASS"),
        ("distance_to(dock", "expected a measure"),
        ("", "expected a measure"),
    ],
)
def test_a_wrong_measure_says_what_was_expected(text, said):
    with pytest.raises(ValueError, match=said):
        parse_measure(text)


def test_distance_is_that_of_the_nearest_subject():
    frame = analysis([subject(0, 4.0), subject(3, 2.5)])
    assert read("distance_to(dock)", frame) == Reading.of(2.5, 0.25)


def test_in_keeps_subjects_that_touch_the_zone_and_of_keeps_labels():
    frame = analysis([subject(0, 4.0, "truck"), subject(3, 2.5, "person")])
    assert read("distance_to(dock)", frame, **{"in": "left"}).value == 4.0
    of = {"head": "vehicles", "is": ["forklift"]}
    assert read("distance_to(dock)", frame, of=of) == Reading.nothing()
    assert read("distance_to(dock)", frame, of=of | {"is": ["truck", "forklift"]}).value == 4.0


def test_an_unknown_label_is_not_its_best_class():
    frame = analysis([subject(0, 2.0, is_unknown=True)])
    assert read("distance_to(dock)", frame, of={"head": "vehicles", "is": ["forklift"]}) == Reading.nothing()
    assert read("distance_to(dock)", frame, of={"head": "vehicles", "is": ["unknown"]}).value == 2.0


def test_no_subject_is_known_and_nothing():
    assert read("distance_to(dock)", analysis()) == Reading.nothing()
    assert read("count_in(left)", analysis()) == Reading.of(0.0)


def test_a_carried_subject_counts_like_one_in_view():
    held = [subject(0, 1.5)]
    assert read("distance_to(dock)", analysis(), held).value == 1.5
    assert read("count_in(left)", analysis([subject(0, 3.0), subject(3, 3.0)]), held).value == 2.0


@pytest.mark.parametrize("measure", ["distance_to(dock)", "count_in(left)"])
def test_subjects_are_unknown_without_an_empty_view(measure):
    reading = read(measure, analysis([subject(0, 2.0)], view=None))
    assert not reading.is_known
    assert "empty view" in reading.reason


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (analysis([subject(0, 2.0)], depth_metres=None), "depth head is missing"),
        (analysis([subject(0, 2.0)], valid_share=0.79), "79% of the depth"),
        (analysis([subject(0, 2.0)], is_calibrated=False), "not calibrated"),
        (analysis([subject(0, 2.0, line="gate")]), "no subject has a distance to dock"),
        (analysis([subject(0, float("nan"))]), "no subject has a distance to dock"),
    ],
)
def test_a_distance_that_cannot_be_told_is_unknown(frame, reason):
    reading = read("distance_to(dock)", frame)
    assert not reading.is_known
    assert reason in reading.reason


def test_a_subject_without_the_wanted_label_makes_the_rule_unknown():
    frame = analysis([subject(0, 2.0, label=None)])
    assert not read("distance_to(dock)", frame, of={"head": "vehicles", "is": ["truck"]}).is_known


def test_uncalibrated_depth_is_read_where_the_rule_accepts_it():
    assert read("camera_depth(left).median", analysis(is_calibrated=False), accept="uncalibrated").value == 5.0


def test_a_count_asks_for_no_metres_and_so_for_no_known_lens():
    frame = analysis([subject(0, 2.0)], is_calibrated=False)
    assert read("count_in(left)", frame).value == 1
    assert not read("camera_depth(left).median", frame).is_known


def test_camera_depth_is_a_percentile_over_the_zone():
    frame = analysis()
    frame.depth.metres[:, :2] = np.arange(8, dtype=np.float16).reshape(4, 2) + 1
    assert read("camera_depth(left).median", frame).value == pytest.approx(4.5)
    assert read("camera_depth(left).p05", frame).value == pytest.approx(1.35)
    frame.depth.metres[:2, :2] = np.nan
    assert "4 of 8 patches" in read("camera_depth(left).p05", frame).reason


def test_scores_come_from_the_frame_label():
    frame = analysis(labels=[Label("vehicles", (("truck", 0.7), ("forklift", 0.3)))])
    assert read("score(vehicles.truck)", frame).value == 0.7
    assert read("score(vehicles.person)", frame).value == 0.0
    assert read("score(vehicles.truck)", analysis(labels=[Label("vehicles", (("truck", 0.7),), is_empty=True)])) == (
        Reading.of(0.0)
    )
    assert not read("score(other.truck)", frame).is_known
    assert read("similarity(vehicles)", frame).value == 0.7


def test_a_share_is_of_the_zones_own_patches():
    indices = np.array([[0, 1, 2, 2], [0, 1, 2, 2], [1, 1, 2, 0], [0, 0, 2, 2]], np.uint8)
    frame = replace(analysis(), segments=(segments("parts", ("floor", "bottle", "traffic light"), indices),))
    assert read("share_of(parts.bottle, left)", frame).value == 4 / 8
    assert read("share_of(parts.bottle, right)", frame).value == 0.0
    assert read("share_of(parts.traffic light, right)", frame).value == 7 / 8
    assert read("share_of(other.bottle, left)", frame) == Reading.unknown("head other is missing")
    assert read("share_of(parts.bottle, corner)", frame) == Reading.unknown("zone corner covers no whole patch")
    with pytest.raises(ValueError, match="unknown class 'botle': head parts knows floor, bottle"):
        read("share_of(parts.botle, left)", frame)


@pytest.mark.parametrize("measure", ["novelty"])
def test_what_is_not_built_says_so(measure):
    with pytest.raises(ValueError, match="not built yet"):
        read(measure, analysis())


def test_every_measure_is_built_or_says_that_it_is_not():
    built = {"distance_to", "count_in", "camera_depth", "score", "share_of", "similarity"}
    assert {name for name, kind in MEASURES.items() if kind.is_built} == built


@pytest.mark.parametrize(
    ("measure", "rule", "is_said"),
    [
        ("distance_to(dock)", {}, True),
        ("distance_to(dock)", {"in": "left"}, True),
        ("distance_to(dock)", {"in": "right"}, False),
        ("distance_to(dock)", {"of": {"head": "vehicles", "is": ["truck"]}}, False),
        ("count_in(left)", {}, True),
        ("count_in(right)", {}, False),
        ("camera_depth(left).p05", {}, False),
    ],
)
def test_a_reading_says_that_somebody_who_would_have_counted_was_lost_below_the_picture(measure, rule, is_said):
    found = read(measure, analysis(), lost=[subject(0, 2.0)], **rule)
    assert found.is_known
    assert found.reason == ("below the picture for 600 s, not seen again" if is_said else "")
    assert read(measure, analysis(), **rule).reason == ""

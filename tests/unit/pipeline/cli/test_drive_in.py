"""The command's words and its pictures; tests/e2e/test_drive_in.py reads real ones."""

import numpy as np
import pytest
from typer.testing import CliRunner

from operators.rules.config import RuleConfig
from operators.scene.residuals import Stop, measured
from pipeline.cli.app import UserError, build
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.drive_in.measuring import UnsteadyError, read_stop
from pipeline.cli.drive_in.pictures import Span, of_span, parse_span_time, simulated
from pipeline.cli.drive_in.report import conclusion, rule_lines, stop_table, worth
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig
from tests.clips import make_clip

CONFIG = """\
version: 1
heads: {{depth: {{kind: depth}}}}
cameras:
  dock-03:
    source: {{url: "rtsp://127.0.0.1/dock"}}
    view: {{hfov: 74deg, height: 3.4m, pitch: 32deg}}
    lines: {{dock: here, gate: [[0, 4], [2, 4]]}}
    heads: [embedding, depth]
  clip:
    source: {{file: {clip}}}
    view: {{hfov: 74deg, height: 3.4m, pitch: 32deg}}
    lines: {{dock: here}}
    heads: [embedding, depth]
  belt: {{source: {{kafka: {{topic: belts}}}}}}
sinks: {{kafka: {{brokers: ["127.0.0.1:9"]}}}}
"""


def refused(tmp_path, *arguments):
    path = tmp_path / "site.yaml"
    path.write_text(CONFIG.format(clip=tmp_path / "dock.mp4"))
    result = CliRunner().invoke(build("drive-in"), ["drive-in", str(path), *arguments])
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["dock-3", "--at", "5"],
            "has no camera 'dock-3': expected one of dock-03, clip, belt; did you mean 'dock-03'",
        ),
        (["belt", "--at", "5"], "camera belt reads topic belts: expected a camera with an address or a file"),
        (["dock-03", "--at", "five"], "--at: expected metres above 0 such as 5.0, got 'five'"),
        (["dock-03", "--at", "0"], "--at: expected metres above 0 such as 5.0, got '0'"),
        (["dock-03", "--at", "5"], "--line: dock-03 has dock, gate: name the one that was measured from"),
        (["dock-03", "--at", "5", "--line", "dok"], "unknown line 'dok': expected one of dock-03's (dock, gate)"),
        (["dock-03", "--at", "5", "--line", "dock", "--from", "1s"], "--from, --to: dock-03 is live: expected none"),
        (["clip", "--at", "5"], "clip reads a file: expected one --from and one --to for each --at, got 0 and 0"),
        (["clip", "--at", "5", "--from", "9s", "--to", "8s"], "--to: expected a time after --from, got 9 s to 8 s"),
        (
            ["clip", "--at", "5", "--from", "soon", "--to", "8s"],
            "--from: expected a time in the file such as 12s or 1:02",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(tmp_path, arguments, said):
    assert said in refused(tmp_path, *arguments)


@pytest.mark.parametrize(("text", "seconds"), [("12s", 12.0), ("1m", 60.0), ("1:02.5", 62.5), ("1:00:03", 3603.0)])
def test_times_in_a_file_are_written_as_people_do(text, seconds):
    assert parse_span_time(text, "--from") == seconds


def test_a_span_of_a_file_is_what_lies_between_its_times(tmp_path):
    clip = make_clip(tmp_path / "dock.mp4", 50)  # 25 a second
    camera = Camera("clip", SourceConfig(file=str(clip)), Secrets({}))
    assert len(list(of_span(camera, Span(0.0, 2.0)))) == 4
    assert len(list(of_span(camera, Span(1.0, 2.0)))) == 2
    with pytest.raises(UserError, match="clip: ends after 2 s: expected 60 s to 70 s"):
        list(of_span(camera, Span(60.0, 70.0)))
    with pytest.raises(UserError, match="expected 1 s to 5 s"):
        list(of_span(camera, Span(1.0, 5.0)))


def test_a_simulated_vehicle_stands_still_and_looks_like_its_name():
    first, second = (next(simulated(8, name, 4.0, 1.0)) for name in ("red", "truck-1"))
    again = next(simulated(8, "red", 4.0, 1.0))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()
    assert len(list(simulated(8, "red", 4.0, 2.0))) == 4


class Scripted:
    """Reads what it is told to, one number a picture."""

    def __init__(self, *metres):
        from operators.camera import CameraSpec

        self.spec = CameraSpec(camera="dock-03", shape=(224, 392), lines={"dock": "here"})
        self._metres = iter(metres)

    def read(self, rgb, line):
        from operators.results import LineDistance

        del rgb
        metres = next(self._metres)
        return None if metres is None else LineDistance(line, metres, 0.5, metres - 0.2)


def stopped(*metres):
    return read_stop(Scripted(*metres), [np.zeros((2, 2, 3), np.uint8)] * len(metres), "dock", 5.0, vehicle="red")


def test_a_standing_vehicle_is_a_stop():
    found = stopped(5.4, 5.5, None, 5.4, 5.3, 5.4, 5.5)
    assert (found.measured_metres, found.contact_metres, found.vehicle) == (
        pytest.approx(5.4),
        pytest.approx(5.2),
        "red",
    )
    assert len(found.readings_metres) == 6


@pytest.mark.parametrize(
    ("metres", "said"),
    [
        ([None] * 6, "in 0 of 6 pictures"),
        ([5.0] * 5 + [None] * 6, "in 5 of 11 pictures: expected a vehicle in at least half"),
        ([5.0] * 4, "in 4 of 4 pictures: expected a vehicle in at least half of them, and in 5"),
        ([5.0, 4.8, 4.6, 4.4, 4.2, 4.0], "it moved by -0.8 m while it was read"),
    ],
)
def test_what_is_no_standing_vehicle_is_refused(metres, said):
    with pytest.raises(UnsteadyError, match=said):
        stopped(*metres)


def test_a_line_that_the_camera_lacks_is_refused():
    with pytest.raises(ValueError, match="unknown line 'gate': expected one of dock"):
        read_stop(Scripted(), [], "gate", 5.0)


def driven(*residuals, knowns=(3.0, 6.0), **how):
    stops = [
        Stop("dock", "here", known, (known + residual,) * 5, None, "2026-03-01T09:30:00Z", f"vehicle-{number}")
        for number, residual in enumerate(residuals)
        for known in knowns
    ]
    return measured("f", stops, **how)


@pytest.mark.parametrize(
    ("metres", "said"),
    [
        (
            driven(0.7, 0.6),
            "correction: -0.65 m, proven: each vehicle corrected by the others errs by 0.10 m instead of",
        ),
        (driven(0.7), "two vehicles must agree to prove one"),
        (driven(0.7, 0.6, knowns=(3.0, 3.5)), "at two distances at least 1 m apart"),
        (driven(0.2, 0.1), "the mean residual, +0.15 m, is within what one kind of vehicle differs"),
        (
            driven(1.4, 0.0),
            "it is not constant: each vehicle corrected by the others would err by 1.40 m instead of 0.70",
        ),
        (driven(0.7, 0.6, is_fitted_here=True), "the depth head was fitted at this view"),
    ],
)
def test_the_conclusion_says_why(metres, said):
    assert said in conclusion(metres, "dock")


def rule(**changes):
    base = {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m", "severity": "critical"}
    return {"near": RuleConfig.model_validate({**base, **changes})}


@pytest.mark.parametrize(
    ("rules", "metres", "said"),
    [
        (rule(), driven(0.7, -0.7), "asked 3.0 m, fires at 3.7 m measured, so that a true 3.0 m is not missed"),
        (
            rule(),
            None,
            "fires at 3.0 m measured: no margin, since no vehicle has stopped at a known distance from dock",
        ),
        (rule(), driven(-0.1, -0.2), "fires at 3.0 m measured: nine of ten readings were not too far"),
        (rule(severity="info"), driven(0.7, -0.7), "no margin, since it is not critical (drive-ins say 0.70 m)"),
        (rule(margin="0m"), driven(0.7, -0.7), "its margin is written as 0"),
        (rule(margin="25cm"), None, "asked 3.0 m, fires at 3.25 m measured, so that a true 3.0 m is not missed"),
        (rule(), driven(0.7, -0.7), "(by vehicle-0, vehicle-1)"),
        (rule(), driven(0.7), "(by vehicle-0 alone: drive in another, readings differ from vehicle to vehicle)"),
    ],
)
def test_validate_says_what_was_asked_and_where_it_fires(rules, metres, said):
    (line,) = rule_lines(rules, metres)
    assert line.startswith("near: asked 3.0 m")
    assert said in line


def test_the_table_has_one_line_a_stop_nearest_first():
    lines = list(stop_table(driven(0.7, -0.7).stops))
    assert [line.split()[0] for line in lines] == ["known", "3.00", "3.00", "6.00", "6.00"]
    assert "+0.70 m" in lines[1]
    assert next(worth(driven(0.7, -0.7))).endswith("6.70 m at 6.00 m, 5.30 m at 6.00 m; jitter 0.00 m")

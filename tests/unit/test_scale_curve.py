"""One to four nodes: what is counted where, and what the page says of known numbers."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tests.bench.scale.curve import Curve, Window, _foretold, _middle, _phases
from tests.bench.scale.curve_page import picture, section
from tests.bench.scale.processes import KINDS, core_seconds
from tests.bench.scale.publishers import Rate, _line, ratios, shared_seconds
from tests.bench.scale.site import FPS, NAMES, Seen, node_cpus

HALF, MORE = FPS


def window(raylets, fps=HALF, analysed=32.0, lane=0.01, **cores):
    phases = {name: n / len(NAMES) / fps for n, name in enumerate(NAMES)}
    return Window(raylets, fps, analysed, 0.02, 0.05, lane, cores, phases)


def test_processor_time_of_a_child_is_counted_under_its_kind():
    spin = "sum(range(10**7)); print('done', flush=True); input()"
    command = [sys.executable, "-c", spin, "tests.bench.scale.bare"]
    before = core_seconds()["one process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        spent = core_seconds()["one process"] - before
        child.communicate(b"\n")
    assert 0.05 < spent < 30.0


def test_nodes_share_the_cores_and_have_one_each_at_least():
    assert [node_cpus(count) for count in (0, 1, 2, 4)] == [(2,), (2,), (1, 1), (1, 1, 1, 1)]


def test_the_phase_of_a_camera_is_the_middle_of_its_turns():
    seen = [Seen(NAMES[0], 100.0 + n * 0.25 + late, 0.1, 0.01) for n, late in enumerate((0.24, 0.26, 0.25, 0.25))]
    late = _phases(seen, 0.25)[NAMES[0]]
    assert min(late, 0.25 - late) == pytest.approx(0.0, abs=1e-3)


def test_the_simulation_gives_what_is_asked_while_lanes_are_free_and_what_lanes_can_beyond():
    free = _foretold(window(1), 0.001)
    assert free.foretold == pytest.approx(32.0, rel=0.02)
    assert free.foretold_p50_seconds == pytest.approx(0.01 + 0.003 + 0.001, rel=0.05)
    assert _foretold(window(2, MORE, lane=0.04), 0.0).foretold == pytest.approx(2 / 0.04, rel=0.03)
    assert _foretold(window(4, MORE, lane=0.04), 0.0).foretold == pytest.approx(4 / 0.04, rel=0.03)


def test_rounds_come_to_their_medians_and_a_kind_that_was_not_there_counts_nothing():
    found = _middle([window(1, analysed=10.0, raylet=0.2), window(1, analysed=30.0, raylet=0.4, gcs=0.1)])
    assert found.analysed == 20.0
    assert found.cores == {"raylet": pytest.approx(0.3), "gcs": 0.05}


@pytest.fixture
def curve():
    def at(raylets, fps):
        found = window(raylets, fps, analyze=0.64 if raylets else 0.0, raylet=0.032 * raylets)
        if not raylets:
            found = window(0, fps, **{"one process": 0.32})
        return _foretold(found, 0.001)

    idle = {count: {"raylet": 0.01 * count, "rest of Ray": 0.02 * count, "gcs": 0.005} for count in (1, 2, 4)}
    return Curve("2 cores", tuple(at(raylets, fps) for fps in FPS for raylets in (0, 1, 2, 4)), idle)


def test_the_page_says_what_ray_and_each_node_take(curve):
    text = "\n".join(section(curve))
    assert "takes 11.0 core-ms a frame: one node takes 21.0, one process without Ray 10.0." in text
    assert "nothing runs takes 10.0 ms of a core a second, and what Ray starts beside it 20.0 ms" in text
    assert "Four nodes take +1.00 core-ms a frame beside one" in text
    assert "| 4 | 32/s | 32.0/s |" in text


def test_costs_a_frame_are_not_told_where_others_used_the_cores(curve):
    assert curve.is_carried
    busy = replace(curve, windows=(replace(curve.windows[0], analysed=20.0), *curve.windows[1:]))
    assert not busy.is_carried
    for each in (busy, None):
        (text,) = section(each)
        assert "Not measured yet" in text
        assert "|" not in text


def test_the_picture_is_well_formed_and_has_a_bar_for_each_number_of_nodes(curve):
    drawn = ET.fromstring(picture(curve))
    bars = drawn.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 1 + 4 * len(KINDS) + len(KINDS)
    assert all(float(each.get("x", 0)) + float(each.get("width")) <= 720 for each in bars)


def test_a_transaction_and_a_result_come_of_a_lonely_call_and_of_many_at_once():
    call, result = _line(0.0015, 0.0005 + 0.001 / 15)
    assert (call, result) == pytest.approx((0.001, 0.0005))
    figures = {"publish_call_seconds": call, "publish_result_seconds": result}
    assert shared_seconds(figures) == pytest.approx(0.0005 + 0.001 / 15)


def test_ratios_are_those_of_owners_that_call_at_once():
    rates = [
        Rate(1, 1, 16, "null", 9000.0, 0.001, 0.0001),
        *(Rate(count, 16, 1, "null", 700.0 * count, 0.02, 0.0007) for count in (1, 2, 4)),
        Rate(1, 16, 1, "jsonl", 600.0, 0.02, 0.0009),
    ]
    assert ratios(rates) == [(1, 1.0, 1.0), (2, 2.0, 1.0), (4, 4.0, 1.0)]

from __future__ import annotations

import base64
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from operators.results import Label, LineDistance, Segments, Subject
from operators.run_lengths import from_run_lengths
from pipeline.frame_path.publisher.wire import (
    decode_array,
    encode_array,
    encode_event,
    rfc3339,
    wire_labels,
    wire_mask,
    wire_segments,
    wire_subject,
)
from pipeline.frame_path.publisher.wire_schema import SceneBody
from tests.fakes_publisher import segments


def test_an_array_comes_back_as_it_was_with_its_gaps():
    values = np.array([[1.5, np.nan, -2.0], [65504.0, 0.0, 1e-4]], dtype=np.float16)
    array = encode_array(values)
    assert (array.dtype, array.shape) == ("float16", [2, 3])
    np.testing.assert_array_equal(decode_array(array), values)


def test_the_bytes_on_the_wire_are_little_endian_whatever_the_machine():
    swapped = np.array([1.0], dtype=">f2")
    assert base64.b64decode(encode_array(swapped).data) == b"\x00\x3c"


def test_a_ten_line_consumer_can_read_an_array():
    array = encode_array(np.arange(6, dtype=np.float32).reshape(2, 3))
    read = np.frombuffer(base64.b64decode(array.data), "<f2").reshape(array.shape)
    assert read[1, 2] == 5.0


@pytest.mark.parametrize(
    ("change", "said"), [({"dtype": "float32"}, "expected dtype float16, got 'float32'"), ({"shape": [5]}, "5 values")]
)
def test_an_array_that_cannot_be_read_says_why(change, said):
    array = {"dtype": "float16", "shape": [1], "data": encode_array(np.ones(1)).data, **change}
    with pytest.raises(ValueError, match=said):
        decode_array(array)


def test_times_are_utc_with_microseconds():
    assert rfc3339(1_767_225_600_000_001_999) == "2026-01-01T00:00:00.000001Z"


def test_equal_events_are_equal_bytes_and_a_tombstone_is_empty():
    body = SceneBody(
        id="a",
        camera="c",
        labels={"z": "1", "a": "2"},
        change="view_learnt",
        view="v",
        lights=1,
        valid_from=(0, 1),
        published_ns=1,
    )
    common = {"event_id": "a", "kind": "scene", "event": "scene", "camera": "c", "site": "s", "time_ns": 0}
    assert encode_event(body, **common).body == encode_event(body, **common).body
    assert b'"a":"2","z":"1"' in encode_event(body, **common).body
    assert encode_event(None, **common).body == b""


def test_numbers_of_numpy_travel_as_plain_json():
    label = Label("vehicles", (("forklift", np.float32(0.5)),), is_unknown=np.bool_(False))
    distance = LineDistance("dock", np.float32(2.5), np.float64("nan"), None)
    box = tuple(np.array([0.25, 0.25, 0.5, 0.5], dtype=np.float32))
    made = wire_subject(Subject(box, np.ones((2, 2), dtype=bool), (distance,), (label,), 3))
    said = msgspec.json.decode(msgspec.json.encode(made))
    assert said["box"] == [0.25, 0.25, 0.5, 0.5]
    assert said["distances"] == [{"line": "dock", "metres": 2.5, "sigma_metres": None, "contact_metres": None}]
    assert said["labels"]["vehicles"]["top"] == [["forklift", 0.5]]


def test_segments_say_the_shares_of_each_zone_and_the_mask_stands_apart():
    zones = {"left": ((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0))}
    said = wire_segments(segments(), zones)
    assert said.zones == {"left": {"floor": 0.625, "wall": 0.375}}
    assert list(said.shares) == ["floor", "wall", "truck"]
    assert said.mask is None
    assert sum(length for _, length in wire_mask(segments()).runs) == 16 * 28


def test_a_mask_names_the_classes_that_occur_and_leads_back_to_the_heads_own():
    classes = tuple(f"class {index}" for index in range(150))
    indices = np.array([[149, 149, 7], [7, 0, 149]], np.uint8)
    mask = wire_mask(Segments("scene", classes, indices, ()))
    assert mask.classes == ["class 0", "class 7", "class 149"]
    assert mask.class_indices == [0, 7, 149]
    assert mask.runs == [(2, 2), (1, 2), (0, 1), (2, 1)]
    back = from_run_lengths([(mask.class_indices[index], count) for index, count in mask.runs], mask.shape)
    np.testing.assert_array_equal(back, indices)


def test_labels_and_segments_off_their_recipe_say_so():
    off = "short side 224 px is 0.44 x the 512 px it was trained with"
    (found,) = wire_labels([Label("things", (("cat", 0.5),), off_recipe=off)]).values()
    assert found.off_recipe == wire_segments(replace(segments(), off_recipe=off), {}).off_recipe == off
    assert wire_labels([Label("things", (("cat", 0.5),))])["things"].off_recipe is None
    assert wire_segments(segments(), {}).off_recipe is None

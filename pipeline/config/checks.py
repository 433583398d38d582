"""What no single struct can see: names that must exist elsewhere, and values that must fit each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from operators.frames import grid_of
from operators.zones import crossing_edges, zone_mask
from pipeline.addresses import below
from pipeline.config.check_depth import check_named_ranges, check_published, relative_heads
from pipeline.config.check_model import check_head_list, check_heads, check_model
from pipeline.config.check_pose import check_pose
from pipeline.config.check_rules import check_rule
from pipeline.config.check_site import check_runtime, check_timezone
from pipeline.config.problems import Place
from pipeline.config.schema import CameraConfig

if TYPE_CHECKING:
    from pipeline.config.loader import Config

Finding = tuple[Place, str]


def check(config: Config) -> Iterator[Finding]:
    """Everything that is wrong across sections."""
    names = config.secrets.names()
    yield from check_timezone(config.site)
    yield from check_model(config.model)
    yield from check_heads(config.heads)
    yield from check_published(config.model, config.heads)
    yield from below(("sinks",), config.sinks.mistakes(names))
    yield from check_runtime(config.runtime, names)
    for camera, found in config.cameras.items():
        place: Place = ("cameras", camera)
        yield from _check_camera(config, place, found)
    yield from _check_kafka_keys(config)


def _check_camera(config: Config, place: Place, camera: CameraConfig) -> Iterator[Finding]:
    names = config.secrets.names()
    yield from below((*place, "source"), camera.source.mistakes(names, config.brokers))
    if camera.sample.policy == "every_frame" and not camera.source.is_replayable:
        yield (
            (*place, "sample", "policy"),
            (
                "every_frame needs a source that can be read again: expected a file or kafka source, got a live one; "
                "use freshest"
            ),
        )
    yield from check_head_list((*place, "heads"), camera, config.heads)
    yield from check_pose(place, camera, config.model.shapes)
    for zone, polygon in camera.zones.items():
        yield from _check_polygon((*place, "zones", zone), polygon, (config.model.shapes[0], config.model.patch))
    for index, polygon in enumerate(camera.privacy):
        yield from _check_polygon((*place, "privacy", index), polygon, None)
    for line, points in camera.lines.items():
        if points != "here" and points[0] == points[1]:
            yield (*place, "lines", line), f"expected two different points on the floor, got {points[0]} twice"
    relative = relative_heads(config.model, config.heads)
    for rule, found in camera.rules.items():
        yield from check_rule((*place, "rules", rule), found, camera, config.heads, relative)
    if config.model.shapes:
        yield from check_named_ranges(place, config.camera_spec(str(place[1])), config.model, config.heads)


def _check_polygon(
    place: Place, polygon: tuple[tuple[float, float], ...], cut: tuple[tuple[int, int], int] | None
) -> Iterator[Finding]:
    """`cut`: shape of the model's picture, and the side of its patches."""
    crossing = crossing_edges(polygon)
    if crossing is not None:
        first, second = crossing
        yield (
            place,
            (
                f"the polygon crosses itself: edge {first} (from {polygon[first]}) meets edge {second} "
                f"(from {polygon[second]}); name its corners in order, once round"
            ),
        )
    elif cut is not None and not zone_mask(polygon, grid_of(*cut)).any():
        yield place, f"the zone is too small: it covers no patch of the {cut[0][0]}x{cut[0][1]} picture by half"


def _check_kafka_keys(config: Config) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], str] = {}
    for camera, found in config.cameras.items():
        kafka = found.source.kafka
        if kafka is None:
            continue
        brokers = kafka.brokers or config.brokers
        identity = (frozenset(brokers), kafka.topic, kafka.key or camera)
        first = seen.setdefault(identity, camera)
        if first != camera:
            yield (
                ("cameras", camera, "source", "kafka"),
                f"camera {first} already reads key {kafka.key or camera!r} of topic {kafka.topic}: expected another",
            )

"""Where the pictures of a class come from while a pipeline runs: what passes by, a camera's file, an alert."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times, nearest_shape
from operators.picture_file import decode_picture
from operators.results import Analysis
from operators.retrieval.build_bank import LabelledPicture
from operators.rules.measure_table import parse_measure
from pipeline.config.loader import Config
from pipeline.control.banks.bank_folder import kept_name
from pipeline.control.banks.bank_request import mistake
from pipeline.errors import SourceError
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.collection import MAX_PICTURES, Collected, evenly, only_subject
from pipeline.frame_path.publisher.evidence import evidence_path, preview_path
from pipeline.frame_path.publisher.evidence_shelves import shelf_of
from pipeline.sources.base import Decoded
from pipeline.sources.video_file import FileFeed

_ALERT = re.compile(r"(?P<camera>[^/]+)/(?P<rule>[^/]+)/(?P<episode>\d+)/(?P<transition>start|end)")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pictures of one class, of one clip."""

    pictures: tuple[LabelledPicture, ...]
    skipped: dict[str, int] = field(default_factory=dict[str, int])


def from_collection(label: str, clip: str, collected: Collected) -> Gathered:
    """What a publisher kept of the frames that passed by."""
    pictures = [
        LabelledPicture(
            label,
            decode_picture(sample.jpeg),
            sample.mask,
            kept_name(label, clip, sample.frame.partition("/")[2].replace("/", "-")),
        )
        for sample in collected.samples
    ]
    return Gathered(tuple(pictures), collected.skipped)


def file_items(config: Config, camera: str, span: tuple[float, float], view: str | None) -> list[Item]:
    """Frames of the camera's file in `span` seconds, spread evenly, as its reader would convert them.

    Decodes from the start of the file, so a late span of a long file takes its time.

    Raises:
        PipelineError: the file cannot be read, or shows nothing there (code `empty`).
    """
    spec = config.camera_spec(camera)
    source = config.cameras[camera].source.model_copy(update={"loop": False, "pace": "as_fast_as_possible"})
    feed = FileFeed(camera, source)
    step_ns = round((span[1] - span[0]) / MAX_PICTURES * 1e9)
    items: list[Item] = []
    try:
        feed.open({})
        due_ns = round(span[0] * 1e9)
        for decoded in _decoded(feed, round(span[1] * 1e9)):
            at_ns = decoded.pts_ns or 0
            if at_ns < due_ns:
                continue
            due_ns = max(due_ns + step_ns, at_ns)
            shape = nearest_shape(decoded.picture.size, config.model.shapes)
            pixels, placement = model_picture(decoded.picture, shape, spec.privacy)
            items.append(_item(Ticket(camera, 0, decoded.epoch or 0, decoded.seq or 0), placement, pixels, view))
    except SourceError as error:
        raise mistake(f"the file of {camera} cannot be read: {error.message}", "empty") from None
    finally:
        feed.close()
    if not items:
        raise mistake(f"the file of {camera} shows nothing from {span[0]:g} s to {span[1]:g} s", "empty")
    return [items[index] for index in evenly(len(items), MAX_PICTURES)]


def _decoded(feed: FileFeed, until_ns: int) -> Iterator[Decoded]:
    for event in feed.events(threading.Event()):
        if not isinstance(event, Decoded):
            continue
        if (event.pts_ns or 0) > until_ns:
            return
        yield event


def alert_item(config: Config, alert: str, view: str | None) -> Item:
    """The small picture that an alert left beside its evidence.

    Raises:
        PipelineError: the id names no alert, or its picture is not there.
    """
    found = _ALERT.fullmatch(alert)
    if found is None:
        raise mistake(f"alert: expected an id such as dock-03/too_close/17/start, got {alert!r}", "usage")
    path = evidence_path(found["camera"], found["rule"], int(found["episode"]), found["transition"])
    preview = preview_path(path)
    try:
        pixels = decode_picture(shelf_of(config.evidence.store).get(preview))
    except OSError:
        raise mistake(
            f"alert {alert}: no picture of it is kept ({config.evidence.store}/{preview}): expected one of a rule "
            "with `evidence`, not older than evidence.keep",
            "empty",
        ) from None
    size = (pixels.shape[0], pixels.shape[1])
    ticket = Ticket(found["camera"], 0, 0, int(found["episode"]))
    return _item(ticket, Placement(size, size, (1.0, 1.0)), pixels, view)


def from_analyses(label: str, clip: str, items: Sequence[Item], analyses: Sequence[Analysis]) -> Gathered:
    """Those with one subject in front of the view, or all where the camera knows none."""
    pictures: list[LabelledPicture] = []
    skipped: Counter[str] = Counter()
    for item, analysis in zip(items, analyses, strict=True):
        mask, why_not = only_subject(analysis)
        if why_not:
            skipped[why_not] += 1
            continue
        name = kept_name(label, clip, f"{item.ticket.epoch}-{item.ticket.seq}")
        pictures.append(LabelledPicture(label, item.pixels, mask, name))
    return Gathered(tuple(pictures), dict(skipped))


def nearest_to_line(spec: CameraSpec, rule: str, analysis: Analysis) -> Analysis:
    """The analysis with only the subject that an alert of `rule` spoke of: the one nearest to the rule's line."""
    measure = parse_measure(spec.rules[rule].measure) if rule in spec.rules else None
    line = measure.args[0] if measure is not None and measure.name == "distance_to" else None

    def metres(index: int) -> float:
        found = [each.metres for each in analysis.subjects[index].distances if each.line == line]
        return min(found, default=float("inf"))

    if line is None or not analysis.subjects:
        return analysis
    nearest = min(range(len(analysis.subjects)), key=metres)
    return replace(analysis, subjects=(analysis.subjects[nearest],))


def _item(ticket: Ticket, placement: Placement, pixels: np.ndarray, view: str | None) -> Item:
    return Item(ticket, Times(0, 0, 0, "arrival", 0), placement, pixels, (view,) if view else ())

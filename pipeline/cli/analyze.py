"""`analyze`: pictures or a video through the operators of the pipeline, to files; no brokers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from operators.frames import Placement
from operators.results import Analysis
from pipeline.cli.analyze_depth import inverse_file_of, picture_depth
from pipeline.cli.analyze_model import (
    build_analyzer,
    item_of,
    load_banks,
    load_depth_head,
    load_linear_head,
    versions_of,
)
from pipeline.cli.analyze_pictures import RunPictures, parse_kinds
from pipeline.cli.analyze_segments import file_of, picture_segments
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture, check_source, engine_of, frames_of, parse_shapes
from pipeline.cli.pictures.depth import depth_file_of, write_depth
from pipeline.cli.pictures.kept import KeptPictures

_BATCH = 4
_MUCH = 0.1
"""Share of a picture that may be cut off without a word."""


@dataclass(slots=True)
class _Rows:
    """What stays in memory of each picture: its name, its vector and where it came from."""

    names: list[str] = field(default_factory=list[str])
    pts_ns: list[int] = field(default_factory=list[int])
    embeddings: list[np.ndarray] = field(default_factory=list[np.ndarray])
    spaces: list[str] = field(default_factory=list[str])
    placements: dict[Placement, None] = field(default_factory=dict[Placement, None])
    depth: tuple[bool, bool] = (False, False)
    """Whether there is any, and whether it is of this camera's metres."""
    off_recipe: dict[str, None] = field(default_factory=dict[str, None])
    """What heads say of pictures unlike those that they were trained on."""

    def add(self, picture: NamedPicture, analysis: Analysis) -> None:
        self.names.append(picture.name)
        self.pts_ns.append(-1 if picture.pts_ns is None else picture.pts_ns)
        if analysis.embedding is not None:
            self.embeddings.append(analysis.embedding)
        self.spaces.append(analysis.space)
        self.placements[analysis.placement] = None
        if analysis.depth is not None:
            self.depth = (True, analysis.depth.is_calibrated)
        for each in (analysis.depth, analysis.inverse_depth, *analysis.labels, *analysis.segments):
            if each is not None and each.off_recipe:
                self.off_recipe[f"{each.head}: {each.off_recipe}"] = None


def analyze(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A picture, a folder of pictures, or a video.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made if missing.")],
    backbone: Annotated[str, typer.Option(help="Architecture.")] = "dinov2_vits14",
    weights: Annotated[str, typer.Option(help="official, standin, random, or the path of a file.")] = "official",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    shape: Annotated[list[str] | None, typer.Option(help="Height x width such as 224x392; may be repeated.")] = None,
    bank: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER of a bank to label with; repeatable.")] = None,
    vote: Annotated[str, typer.Option(help="whitened, balanced or paper.")] = "whitened",
    depth: Annotated[
        str, typer.Option(help="simulated, none, an official name such as nyu_dpt, depth_anything, or a path.")
    ] = "simulated",
    official_recipe: Annotated[
        bool, typer.Option("--official-recipe", help="Depth of each pixel, as the head's authors do it (slow).")
    ] = False,
    segment: Annotated[
        str | None, typer.Option(metavar="CHECKPOINT", help="Segments: ade20k_linear, voc2012_ms, ..., or a path.")
    ] = None,
    segment_by: Annotated[
        str, typer.Option(help="patches: live; whole or windows: each pixel, as the head's authors do it (slow).")
    ] = "patches",
    classify: Annotated[
        str | None, typer.Option(metavar="CHECKPOINT", help="Classes: imagenet_linear, imagenet_linear4, or a path.")
    ] = None,
    hfov: Annotated[str | None, typer.Option(help="Horizontal field of view such as 74deg, for metres.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Of a video: only every n-th frame.")] = 1,
    pictures: Annotated[
        str, typer.Option(help="To look at: all, none, or some of depth,segments,pca,neighbours.")
    ] = "all",
) -> None:
    """Embeddings, labels, depth and pictures to look at, of pictures or a video.

    Writes embeddings.npz (embeddings, names, spaces), labels.jsonl (one line per picture), depth/NAME.png (16 bit,
    millimetres, 0 where unknown; at the model's size, or at the picture's with --official-recipe), segments/NAME.png
    (8 bit, the class of each pixel, with --segment-by), and pictures/NAME_KIND.jpg: depth with its scale, segments with
    their legend, patch features as colours that all pictures share, the most similar pictures. sheet.jpg shows some.
    """
    shapes = parse_shapes(shape or [], backbone)
    check_source(source)
    engine = engine_of(backbone, weights, precision)
    applied = load_banks(engine, shapes, bank or [], vote)
    applied |= {
        kind: load_linear_head(engine, shapes, kind, checkpoint)
        for kind, checkpoint in (("segment", segment), ("classify", classify))
        if checkpoint is not None
    }
    depth_head = load_depth_head(engine, depth, weights)
    analyzer = build_analyzer(engine, shapes, applied, depth=depth_head, hfov=hfov)
    kinds = parse_kinds(pictures, _not_drawn(has_depth=depth_head is not None, has_segments=segment is not None))
    per_pixel = picture_segments(engine, applied["segment"].artefact if segment else None, segment_by, out)
    full_depth = picture_depth(engine, depth_head, out, is_asked=official_recipe, hfov=hfov)
    about = analyzer.about
    print(f"{about.name}, weights {about.weights} ({engine.backbone.info.origin}), {about.fingerprint[:12]}")
    out.mkdir(parents=True, exist_ok=True)
    versions = versions_of(applied)
    rows, unreadable = _Rows(), list[str]()
    with KeptPictures(out) as kept, (out / "labels.jsonl").open("w", encoding="utf-8") as file:
        drawn = RunPictures(out, kinds, kept, analyzer.patch)
        for batch in _batches(frames_of(source, every, unreadable)):
            items = [item_of(each, shapes, versions, wants_patches=drawn.wants_patches) for each in batch]
            for picture, seen in zip(batch, analyzer.analyze(items), strict=True):
                analysis = seen if per_pixel is None else per_pixel.of(picture, seen)
                analysis = analysis if full_depth is None else full_depth.of(picture, analysis)
                rows.add(picture, analysis)
                drawn.add(picture, analysis)
                file.write(
                    json.dumps(
                        _line(picture, analysis, out, has_maps=per_pixel is not None, has_depth=full_depth is not None)
                    )
                    + "\n"
                )
        if not rows.names:
            raise UserError("\n".join(unreadable) or f"{source} holds no frame", 3)
        drawn.finish(np.stack(rows.embeddings), rows.spaces)
    _write_embeddings(out / "embeddings.npz", rows, about.fingerprint)
    for note in (*_cut_notes(list(rows.placements)), *rows.off_recipe):
        print(note)
    print(
        f"{len(rows.names)} pictures -> {out / 'embeddings.npz'}, {out / 'labels.jsonl'}"
        + _depth_note(rows, out, is_official=full_depth is not None)
    )
    if drawn.num_written:
        print(f"to look at: {out / 'sheet.jpg'}, and {drawn.num_written} pictures in {out / 'pictures'}")
    if unreadable:
        raise UserError(f"{len(unreadable)} files left out:\n" + "\n".join(unreadable), 1)


def _not_drawn(*, has_depth: bool, has_segments: bool) -> dict[str, str]:
    """Kinds of pictures that this run cannot draw, and why."""
    reasons: dict[str, str] = {}
    if not has_segments:
        reasons["segments"] = "no head gives segments; name one with --segment"
    if not has_depth:
        reasons["depth"] = "no depth head; name one with --depth"
    return reasons


def _line(picture: NamedPicture, analysis: Analysis, out: Path, *, has_maps: bool, has_depth: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"name": picture.name, "pts_ns": picture.pts_ns, **_placement(analysis.placement)}
    line["labels"] = [
        {"head": label.head, "label": label.name, "unknown": label.is_unknown, "top": label.top}
        for label in analysis.labels
    ]
    if analysis.depth is not None:
        depth = analysis.depth
        line["depth"] = {
            "file": depth_file_of(picture.name)
            if has_depth
            else write_depth(out, picture.name, depth.metres, analysis.placement.model_size),
            "p05_metres": _rounded(depth.p05),
            "median_metres": _rounded(depth.median),
            "valid_share": _rounded(depth.valid_share),
            "is_calibrated": depth.is_calibrated,
        }
    if analysis.inverse_depth is not None and has_depth:
        line["inverse_depth"] = {"file": inverse_file_of(picture.name)}
    if analysis.segments:
        line["segments"] = [
            {"head": each.head, "shares": [(name, _rounded(share)) for name, share in each.shares]}
            | ({"file": file_of(picture.name)} if has_maps else {})
            for each in analysis.segments
        ]
    return line


def _rounded(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None


def _placement(placement: Placement) -> dict[str, Any]:
    """Source pixel = model pixel * scale + offset, per axis (y, x)."""
    return {
        "source_size": placement.source_size,
        "model_size": placement.model_size,
        "scale": placement.scale,
        "offset": placement.offset,
    }


def _cut_notes(placements: list[Placement]) -> Iterator[str]:
    """Says where much of a picture was cut off, because no shape has its proportions."""
    for each in placements:
        (height, width), (h, w) = each.source_size, each.model_size
        lost = 1 - (h * each.scale[0]) * (w * each.scale[1]) / (height * width)
        if lost > _MUCH:
            yield f"{lost:.0%} of each {height}x{width} picture lies outside {h}x{w}: give a --shape of its proportions"


def _write_embeddings(path: Path, rows: _Rows, fingerprint: str) -> None:
    np.savez(
        path,
        embeddings=np.stack(rows.embeddings),
        names=np.array(rows.names),
        pts_ns=np.array(rows.pts_ns, np.int64),
        spaces=np.array(rows.spaces),
        fingerprint=np.array(fingerprint),
    )


def _depth_note(rows: _Rows, out: Path, *, is_official: bool) -> str:
    has_depth, is_calibrated = rows.depth
    if not has_depth:
        return ""
    if is_official:
        return f", {out / 'depth'} (metres of the camera that the head was trained with)"
    return f", {out / 'depth'}" + ("" if is_calibrated else " (not metres of this camera: give --hfov)")


def _batches(pictures: Iterator[NamedPicture]) -> Iterator[list[NamedPicture]]:
    while batch := list(islice(pictures, _BATCH)):
        yield batch

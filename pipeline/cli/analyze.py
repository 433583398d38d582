"""`analyze`: pictures or a video through the operators of the pipeline, to files; no brokers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times, nearest_shape
from operators.heads.config import DepthHead, EmbeddingHead, HeadConfig, KnnHead
from operators.heads.depth_linear import DepthLinear, HeadMismatchError
from operators.results import Analysis
from operators.retrieval.bank import Bank, BankError
from operators.scene.config import ViewConfig
from operators.units import parse_degrees
from pipeline.cli.app import UserError
from pipeline.cli.depth_pictures import write_depth
from pipeline.cli.inputs import NamedPicture, check_source, engine_of, frames_of, parse_shapes

_BATCH = 4
_MUCH = 0.1
"""Share of a picture that may be cut off without a word."""
_SHIPPED_DEPTH = Path(__file__).resolve().parents[2] / "operators/heads/assets/depth_standin_vits14.safetensors"
_NEVER = Times(rule_time_ns=0, ingest_ns=0, capture_ns=0, capture_clock="container", capture_uncertainty_ns=0)


def analyze(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A picture, a folder of pictures, or a video.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; made if missing.")],
    backbone: Annotated[str, typer.Option(help="Architecture.")] = "dinov2_vits14",
    weights: Annotated[str, typer.Option(help="official, standin, random, or the path of a file.")] = "official",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    shape: Annotated[list[str] | None, typer.Option(help="Height x width such as 224x392; may be repeated.")] = None,
    bank: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER of a bank to label with; repeatable.")] = None,
    vote: Annotated[str, typer.Option(help="balanced or paper.")] = "balanced",
    depth: Annotated[str, typer.Option(help="simulated, none, or the path of a depth head.")] = "simulated",
    hfov: Annotated[str | None, typer.Option(help="Horizontal field of view such as 74deg, for metres.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Of a video: only every n-th frame.")] = 1,
) -> None:
    """Embeddings, labels and depth of pictures or a video.

    Writes embeddings.npz (embeddings, names, spaces), labels.jsonl (one line per picture), and under depth/ per picture
    NAME.png (16 bit, millimetres, 0 where unknown) and NAME_colour.png, both at the model's size.
    """
    shapes = parse_shapes(shape or [])
    check_source(source)
    engine = engine_of(backbone, weights, precision)
    banks = _banks(bank or [])
    analyzer = _analyzer(engine, shapes, banks, vote=vote, head=_depth_head(engine, depth), hfov=hfov)
    about = analyzer.about
    print(f"{about.name}, weights {about.weights} ({engine.backbone.info.origin}), {about.fingerprint[:12]}")
    out.mkdir(parents=True, exist_ok=True)
    versions = tuple(f"head/{name}@1" for name in banks)
    rows: list[tuple[NamedPicture, Analysis]] = []
    unreadable: list[str] = []
    with (out / "labels.jsonl").open("w", encoding="utf-8") as file:
        for batch in _batches(frames_of(source, every, unreadable)):
            items = [_item(picture, shapes, versions) for picture in batch]
            for picture, analysis in zip(batch, analyzer.analyze(items), strict=True):
                rows.append((NamedPicture(picture.name, np.empty(0), picture.pts_ns), analysis))
                file.write(json.dumps(_line(picture, analysis, out)) + "\n")
    if not rows:
        raise UserError("\n".join(unreadable) or f"{source} holds no frame", 3)
    _write_embeddings(out / "embeddings.npz", rows, about.fingerprint)
    for note in _cut_notes([analysis.placement for _, analysis in rows]):
        print(note)
    print(f"{len(rows)} pictures -> {out / 'embeddings.npz'}, {out / 'labels.jsonl'}" + _depth_note(rows, out))
    if unreadable:
        raise UserError(f"{len(unreadable)} files left out:\n" + "\n".join(unreadable), 1)


def _banks(texts: list[str]) -> dict[str, Bank]:
    banks: dict[str, Bank] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not name or "/" in name or name in {"embedding", "depth"}:
            raise UserError(f"--bank: expected NAME=FOLDER such as vehicles=banks/vehicles, got {text!r}")
        try:
            banks[name] = Bank.load(Path(folder))
        except BankError as error:
            raise UserError(f"--bank {name}: {error}", 3) from None
    return banks


def _depth_head(engine: Engine, depth: str) -> DepthLinear | None:
    if depth == "none":
        return None
    path = _SHIPPED_DEPTH if depth == "simulated" else Path(depth)
    try:
        head = DepthLinear.load(path)
        head.check_backbone(engine.backbone.fingerprint)
    except HeadMismatchError as error:
        if depth != "simulated":
            raise UserError(f"--depth: {error}") from None
        print("no depth: the head that comes along belongs to the stand-in weights; give one with --depth PATH")
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"--depth: cannot read {path}: {error}", 3) from None
    return head


def _analyzer(
    engine: Engine,
    shapes: tuple[tuple[int, int], ...],
    banks: dict[str, Bank],
    *,
    vote: str,
    head: DepthLinear | None,
    hfov: str | None,
) -> Analyzer:
    """One nameless camera per shape."""
    if vote not in {"balanced", "paper"}:
        raise UserError(f"--vote: expected balanced or paper, got {vote!r}")
    heads: dict[str, HeadConfig] = {"embedding": EmbeddingHead(kind="embedding")}
    heads |= {name: KnnHead.model_validate({"kind": "knn", "bank": name, "vote": vote}) for name in banks}
    if head is not None:
        heads["depth"] = DepthHead(kind="depth")
    try:
        view = None if hfov is None else ViewConfig(hfov=parse_degrees(hfov), height=1.0, pitch=0.0)
    except ValueError as error:
        raise UserError(f"--hfov: {error}") from None
    cameras = [CameraSpec(_camera(shape), shape, tuple(heads), view) for shape in shapes]
    data = {f"head/{name}@1": each.to_bytes() for name, each in banks.items()}
    for name, each in banks.items():
        wrong = [shape for shape in shapes if each.cls.space != engine.backbone.space(shape)]
        if wrong:
            raise UserError(
                f"--bank {name} was made with {each.made_with or 'other weights'} or at another size: expected the "
                f"space {engine.backbone.space(wrong[0])[:16]}, got {each.cls.space[:16]}. Build it with these weights."
            )
    return Analyzer(engine, heads, cameras, data.__getitem__, {} if head is None else {"depth": head})


def _camera(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _item(picture: NamedPicture, shapes: tuple[tuple[int, int], ...], versions: tuple[str, ...]) -> Item:
    shape = nearest_shape((picture.rgb.shape[0], picture.rgb.shape[1]), shapes)
    pixels, placement = place(picture.rgb, shape)
    return Item(Ticket(_camera(shape), 0, 0, 0), _NEVER, placement, pixels, versions)


def _line(picture: NamedPicture, analysis: Analysis, out: Path) -> dict[str, Any]:
    line: dict[str, Any] = {"name": picture.name, "pts_ns": picture.pts_ns, **_placement(analysis.placement)}
    line["labels"] = [
        {"head": label.head, "label": label.name, "unknown": label.is_unknown, "top": label.top}
        for label in analysis.labels
    ]
    if analysis.depth is not None:
        depth = analysis.depth
        line["depth"] = {
            "file": write_depth(out, picture.name, depth.metres, analysis.placement.model_size),
            "p05_metres": _rounded(depth.p05),
            "median_metres": _rounded(depth.median),
            "valid_share": _rounded(depth.valid_share),
            "is_calibrated": depth.is_calibrated,
        }
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
    for each in dict.fromkeys(placements):
        (height, width), (h, w) = each.source_size, each.model_size
        lost = 1 - (h * each.scale[0]) * (w * each.scale[1]) / (height * width)
        if lost > _MUCH:
            yield f"{lost:.0%} of each {height}x{width} picture lies outside {h}x{w}: give a --shape of its proportions"


def _write_embeddings(path: Path, rows: list[tuple[NamedPicture, Analysis]], fingerprint: str) -> None:
    np.savez(
        path,
        embeddings=np.stack([analysis.embedding for _, analysis in rows if analysis.embedding is not None]),
        names=np.array([picture.name for picture, _ in rows]),
        pts_ns=np.array([-1 if picture.pts_ns is None else picture.pts_ns for picture, _ in rows], np.int64),
        spaces=np.array([analysis.space for _, analysis in rows]),
        fingerprint=np.array(fingerprint),
    )


def _depth_note(rows: list[tuple[NamedPicture, Analysis]], out: Path) -> str:
    if rows[0][1].depth is None:
        return ""
    calibrated = rows[0][1].depth.is_calibrated
    return f", {out / 'depth'}" + ("" if calibrated else " (not metres of this camera: give --hfov)")


def _batches(pictures: Iterator[NamedPicture]) -> Iterator[list[NamedPicture]]:
    while batch := list(islice(pictures, _BATCH)):
        yield batch

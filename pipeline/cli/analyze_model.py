"""The model of commands that need no configuration file: banks, a depth head, and one nameless camera per shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from operators.analyzer import Analyzer
from operators.backbone import Engine, WeightsError
from operators.backbone.config import ModelConfig
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times, nearest_shape
from operators.heads.base import DepthModel
from operators.heads.config import DepthHead, EmbeddingHead, HeadConfig, KnnHead
from operators.heads.depth_about import HeadMismatchError
from operators.heads.depth_files import load_depth_head as read_depth
from operators.heads.depth_linear import DepthLinear
from operators.heads.kinds import HEAD_KINDS
from operators.retrieval.bank import Bank, BankError
from operators.scene.config import ViewConfig
from operators.units import parse_degrees
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture

_SHIPPED_DEPTH = Path(__file__).resolve().parents[2] / "operators/heads/assets/depth_standin_vits14.safetensors"
_HEADS: TypeAdapter[HeadConfig] = TypeAdapter(HeadConfig)
_TAKEN = {"embedding", "depth", "classify", "segment"}
"""Names of heads that are not banks."""
_NEVER = Times(rule_time_ns=0, ingest_ns=0, capture_ns=0, capture_clock="container", capture_uncertainty_ns=0)

Shapes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class AppliedHead:
    """A head with the bytes that it applies."""

    config: HeadConfig
    artefact: bytes


def load_banks(engine: Engine, shapes: Shapes, texts: list[str], vote: str) -> dict[str, AppliedHead]:
    """Banks by name, from `NAME=FOLDER`.

    Raises:
        UserError: not of that form, no bank there, or one of other weights or another size.
    """
    if vote not in {"whitened", "balanced", "paper"}:
        raise UserError(f"--vote: expected whitened, balanced or paper, got {vote!r}")
    banks: dict[str, AppliedHead] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not name or "/" in name or name in _TAKEN:
            raise UserError(f"--bank: expected NAME=FOLDER such as vehicles=banks/vehicles, got {text!r}")
        try:
            bank = Bank.load(Path(folder))
        except BankError as error:
            raise UserError(f"--bank {name}: {error}", 3) from None
        wrong = [shape for shape in shapes if bank.cls.space != engine.backbone.space(shape)]
        if wrong:
            raise UserError(
                f"--bank {name} was made with {bank.made_with or 'other weights'} or at another size: expected the "
                f"space {engine.backbone.space(wrong[0])[:16]}, got {bank.cls.space[:16]}. Build it with these weights."
            )
        config = KnnHead.model_validate({"kind": "knn", "bank": name, "vote": vote})
        banks[name] = AppliedHead(config, bank.to_bytes())
    return banks


def load_depth_head(engine: Engine, depth: str, weights: str = "official") -> DepthModel | None:
    """`simulated`, `none`, an official name or the path of a head; says so where the one that comes along does not fit.

    Args:
        engine: The backbone.
        depth: As written after --depth.
        weights: Of the backbone as written; `depth_anything` is the head in that file.

    Raises:
        UserError: there is no such depth head, or it is one of other weights.
    """
    if depth == "none":
        return None
    backbone = engine.backbone
    try:
        if depth == "simulated":
            head: DepthModel = DepthLinear.load(_SHIPPED_DEPTH)
        else:
            head = read_depth(depth, backbone.arch.name, weights, licences=ModelConfig().licences)
        head.about.check_backbone(backbone.fingerprint, backbone.info.published_as)
    except HeadMismatchError as error:
        if depth != "simulated":
            raise UserError(f"--depth: {error}") from None
        print("no depth: the head that comes along belongs to the stand-in weights; name one with --depth")
        return None
    except WeightsError as error:
        raise UserError(f"--depth: {error}", 3) from None
    except ValueError as error:
        raise UserError(f"--depth: {error}") from None
    return head


def load_linear_head(engine: Engine, shapes: Shapes, kind: str, checkpoint: str) -> AppliedHead:
    """A head of `kind: classify` or `kind: segment`, by official name or path.

    Raises:
        UserError: there is no such head, or it is one of other weights.
    """
    config: HeadConfig = _HEADS.validate_python({"kind": kind, "checkpoint": checkpoint})
    made = HEAD_KINDS[kind]
    for _, mistake in config.mistakes():
        raise UserError(f"--{kind}: {mistake}")
    try:
        data = made.artefact(config, lambda: engine, shapes)
    except (WeightsError, OSError) as error:
        raise UserError(f"--{kind}: {error}", 3) from None
    except ValueError as error:
        raise UserError(f"--{kind}: {error}") from None
    if (why := made.misfit(data, engine, shapes)) is not None:
        raise UserError(f"--{kind}: {why}")
    return AppliedHead(config, data)


def build_analyzer(
    engine: Engine,
    shapes: Shapes,
    applied: Mapping[str, AppliedHead],
    *,
    depth: DepthModel | None,
    hfov: str | None,
) -> Analyzer:
    """One nameless camera per shape.

    Args:
        engine: The backbone.
        shapes: Of the model's pictures.
        applied: Heads by name; items name them as `versions_of` says.
        depth: The depth head.
        hfov: Horizontal field of view, as written.

    Raises:
        UserError: the field of view cannot be read.
    """
    heads: dict[str, HeadConfig] = {"embedding": EmbeddingHead(kind="embedding")}
    heads |= {name: each.config for name, each in applied.items()}
    if depth is not None:
        heads["depth"] = DepthHead(kind="depth")
    try:
        view = None if hfov is None else ViewConfig(hfov=parse_degrees(hfov), height=1.0, pitch=0.0)
    except ValueError as error:
        raise UserError(f"--hfov: {error}") from None
    patch = engine.backbone.arch.patch
    cameras = [CameraSpec(_camera(shape), shape, tuple(heads), view, patch=patch) for shape in shapes]
    data = dict(zip(versions_of(applied), (each.artefact for each in applied.values()), strict=True))
    return Analyzer(engine, heads, cameras, data.__getitem__, {} if depth is None else {"depth": depth})


def versions_of(applied: Mapping[str, AppliedHead]) -> tuple[str, ...]:
    """What an item must name for these heads to be applied to it."""
    return tuple(f"head/{name}@1" for name in applied)


def item_of(
    picture: NamedPicture,
    shapes: Shapes,
    versions: tuple[str, ...] = (),
    *,
    wants_patches: bool = False,
    wants_view_sample: bool = False,
) -> Item:
    """A picture of any size as an item of the nameless camera of the nearest shape."""
    shape = nearest_shape((picture.rgb.shape[0], picture.rgb.shape[1]), shapes)
    pixels, placement = place(picture.rgb, shape)
    return Item(
        ticket=Ticket(_camera(shape), 0, 0, 0),
        times=_NEVER,
        placement=placement,
        pixels=pixels,
        artefacts=versions,
        wants_patches=wants_patches,
        wants_view_sample=wants_view_sample,
    )


def _camera(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"

"""The model of commands that need no configuration file: banks, a depth head, and one nameless camera per shape."""

from __future__ import annotations

from pathlib import Path

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times, nearest_shape
from operators.heads.config import DepthHead, EmbeddingHead, HeadConfig, KnnHead
from operators.heads.depth_linear import DepthLinear, HeadMismatchError
from operators.retrieval.bank import Bank, BankError
from operators.scene.config import ViewConfig
from operators.units import parse_degrees
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture

_SHIPPED_DEPTH = Path(__file__).resolve().parents[2] / "operators/heads/assets/depth_standin_vits14.safetensors"
_NEVER = Times(rule_time_ns=0, ingest_ns=0, capture_ns=0, capture_clock="container", capture_uncertainty_ns=0)

Shapes = tuple[tuple[int, int], ...]


def load_banks(texts: list[str]) -> dict[str, Bank]:
    """Banks by name, from `NAME=FOLDER`.

    Raises:
        UserError: not of that form, or no bank there.
    """
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


def load_depth_head(engine: Engine, depth: str) -> DepthLinear | None:
    """`simulated`, `none` or the path of a head; says so where the one that comes along does not fit.

    Raises:
        UserError: the named file is no depth head, or one of other weights.
    """
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


def build_analyzer(
    engine: Engine,
    shapes: Shapes,
    banks: dict[str, Bank],
    *,
    vote: str = "balanced",
    head: DepthLinear | None,
    hfov: str | None,
) -> Analyzer:
    """One nameless camera per shape.

    Raises:
        UserError: an option cannot be read, or a bank is of other weights or another size.
    """
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

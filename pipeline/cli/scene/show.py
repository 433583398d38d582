"""`scene show`: what a camera has learnt of its empty place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from operators.scene.empty_view import EmptyView
from operators.scene.structure import Structure
from operators.scene.view_check import FADED_LEAST, FADED_MARGIN
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.cli.pictures.depth import draw_depth
from pipeline.cli.pictures.lettering import save
from pipeline.cli.scene.named import camera_of
from pipeline.frame_path.publisher.artefacts import ArtefactStore

_PANEL_WIDTH_PX = 560


def show(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration: a file or a folder.")],
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Its id.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Picture to write; left out: scene-CAMERA.jpg here.")] = None,
) -> None:
    """Print the lights, version, age and thresholds of a camera's empty view, and draw it."""
    loaded = load(config)
    camera_of(loaded, camera)
    root = Path(loaded.runtime.state_dir) / "artefacts"
    store = ArtefactStore(root)
    newest = store.latest(f"view/{camera}")
    if newest is None:
        raise UserError(
            f"{camera}: no empty view is learnt in {root}. Teach it: main.py scene learn {config} {camera}", 1
        )
    try:
        view = EmptyView.from_bytes(store.get(newest))
    except ValueError as error:
        raise UserError(f"{root / newest}: {error}. Teach it anew: main.py scene learn {config} {camera}", 1) from None
    for line in said(newest, view, time.time() - (root / newest).stat().st_mtime):
        print(line)
    path = out or Path(f"scene-{camera}.jpg")
    try:
        save(path, drawn(view))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    print(f"picture       {path}: what stands still in all lights, and the depth of the empty place")


def said(version: str, view: EmptyView, age_seconds: float) -> list[str]:
    """For people."""
    lumas = f", brightness {', '.join(f'{luma:.0f}' for luma in view.lumas)} of 255" if view.lumas else ""
    state = "rules that need subjects are unknown until it has seen a second one" if view.is_one_light else "enough"
    depth = np.isfinite(view.log_depth)
    lines = [
        f"version       {version}, {_age(age_seconds)} old",
        f"lights        {view.num_lights}{lumas}: {state}",
        f"references    {len(view.references)} a patch",
        f"depth         {depth.mean():.0%} of {view.log_depth.size} patches valid",
    ]
    if not view.is_one_light:
        free = view.light_free
        threshold = float(np.median(view.thresholds)) if free is None else free.threshold
        what = "" if free is None else ", what the light does left aside"
        lines.append(
            f"new           a patch more than {threshold:.3f} from every reference{what}; the nearer it is, the less"
        )
    if view.structure is None:
        lines.append("moved camera  cannot be told: it was learnt by an older version. Teach it anew")
    else:
        limit = max(FADED_LEAST, view.structure.faded + FADED_MARGIN)
        lines.append(f"covered       when {limit:.0%} of its textured cells lose their contrast")
    return lines


def drawn(view: EmptyView) -> np.ndarray:
    """uint8 (H, W, 3): the structure beside the depth."""
    rgb = _structure_picture(view.structure) if view.structure is not None else _plain(view)
    return draw_depth(rgb, np.exp(view.log_depth), what="empty view: structure and depth")


def _structure_picture(structure: Structure) -> np.ndarray:
    relative = structure.coarse + structure.fine
    gray = np.clip(128 + relative * 255, 0, 255).astype(np.uint8)
    height = round(_PANEL_WIDTH_PX * gray.shape[0] / gray.shape[1])
    return cv2.cvtColor(cv2.resize(gray, (_PANEL_WIDTH_PX, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)


def _plain(view: EmptyView) -> np.ndarray:
    height = round(_PANEL_WIDTH_PX * view.log_depth.shape[0] / view.log_depth.shape[1])
    return np.full((height, _PANEL_WIDTH_PX, 3), 128, np.uint8)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

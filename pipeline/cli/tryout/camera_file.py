"""A configuration of the camera that was tried: two files that `validate` and `run` accept as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from operators.backbone.config import ModelConfig
from pipeline.sources.config import SourceConfig

_SECRET = "camera"  # noqa: S105 - the name under `secrets:`, not a value
_SHARE = 0.5
"""Of the pictures per second that the machine gives: the rest is for decoding, and for another camera."""
_MAX_FPS = 5.0
"""Things on wheels and feet are seen well at this rate; more only costs."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known of a camera after it was tried."""

    camera: str
    source: SourceConfig | None
    """None: nothing that a configuration could name."""
    credentials: str | None
    """Environment variable that holds `user:password`."""
    weights: str
    has_depth: bool
    stream_fps: float | None
    machine_fps: float
    """Pictures per second that the bare model gives here."""
    notes: tuple[str, ...]
    """Written above the camera as comments: what was measured."""


def camera_id(text: str) -> str:
    """A name as cameras have it, from an address or a file: `rtsp://10.0.0.7:554/Hall 2` is `hall-2`."""
    path = re.sub(r"[?#].*$", "", text).rstrip("/")
    last = path.rpartition("/")[2].partition(".")[0] if "/" in path or "." in path else path
    name = re.sub(r"[^a-z0-9_]+", "-", last.lower()).strip("-_")[:63].strip("-_")
    return name or "camera"


def write_configuration(folder: Path, tried: Tried) -> Path:
    """Writes site.yaml and cameras/NAME.yaml; returns the latter's path.

    Raises:
        ValueError: the source cannot be named.
    """
    if tried.source is None:
        raise ValueError(f"a configuration needs a source, got none for {tried.camera}")
    folder.joinpath("cameras").mkdir(parents=True, exist_ok=True)
    site: dict[str, Any] = {"version": 1, "site": {"name": "tried"}, "model": _model(tried)}
    if tried.credentials is not None:
        site["secrets"] = {_SECRET: f"${{env:{tried.credentials}}}"}
    if tried.has_depth:
        site["heads"] = {"depth": {"kind": "depth", "checkpoint": "simulated"}}
    site["sinks"] = {"jsonl": {"path": str(folder.resolve() / "results")}}
    site["runtime"] = {"ray": "local", "state_dir": str(folder.resolve() / "state")}
    head = f"# Written by `try` for {tried.camera}; `python main.py run {folder}` runs it. Results are JSON lines.\n"
    (folder / "site.yaml").write_text(head + _yaml(site), encoding="utf-8")
    path = folder / "cameras" / f"{tried.camera}.yaml"
    comments = "".join(f"# {note}\n" for note in tried.notes)
    path.write_text(comments + _yaml(_camera(tried, tried.source)) + _HINTS, encoding="utf-8")
    return path


_HINTS = """\
# How the camera hangs, for metres (measure them; the field of view is in its data sheet):
# view: {hfov: 74deg, height: 3.5m, pitch: 32deg}
# zones: {floor: [[0.20, 0.30], [0.80, 0.30], [1.00, 1.00], [0.00, 1.00]]}
# rules:
#   # A count needs no `view`; teach the camera its empty place first, with `main.py scene learn`: docs/counting.md
#   somebody_there: {measure: count_in(floor), enter: ">= 1", exit: "< 1", hold: 500ms, release: 1s, accept: one_light}
#   something_near: {measure: camera_depth(floor).p05, enter: "< 3 m", exit: "> 3.5 m", hold: 1s}
"""


def _model(tried: Tried) -> dict[str, Any]:
    return {"backbone": ModelConfig().backbone, "weights": tried.weights}


def _camera(tried: Tried, found: SourceConfig) -> dict[str, Any]:
    source = found.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    source.pop("credentials", None)
    if tried.credentials is not None:
        source["credentials"] = _SECRET
    if "file" in source:
        source["file"] = str(Path(source["file"]).resolve())
    camera: dict[str, Any] = {"source": source, "sample": _sample(tried, found)}
    camera["heads"] = ["embedding", "depth"] if tried.has_depth else ["embedding"]
    return camera


def _sample(tried: Tried, source: SourceConfig) -> dict[str, Any]:
    if source.is_replayable:
        return {"policy": "every_frame"}
    wanted = min(_SHARE * tried.machine_fps, tried.stream_fps or _MAX_FPS, _MAX_FPS)
    return {"fps": max(0.1, round(wanted, 1))}


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)

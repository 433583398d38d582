"""What is still to do once a camera's file is written, and what a depth head needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from operators.geometry import FloorCamera
from operators.heads.config import DepthHead
from operators.scene.residuals import MeasuredMetres
from pipeline.cli.commission.new_camera import example_rule
from pipeline.cli.scene.lesson import known
from pipeline.config.check_pose import CLEAR, reaches
from pipeline.config.loader import Config
from pipeline.frame_path.publisher.artefacts import ArtefactStore


def remaining(config: Config, camera: str, floor: FloorCamera | None, metres: MeasuredMetres | None) -> Iterator[str]:
    """What a person should still do or know, most important first.

    Args:
        config: As it was written.
        camera: Its name.
        floor: As its picture shows it; None: the pose is not known.
        metres: Its drive-ins.
    """
    found = config.cameras[camera]
    if not found.rules:
        jitter = metres.jitter_metres if metres else 0.0
        rule = example_rule(list(found.lines), list(found.zones), floor, jitter)
        such = f", such as\n{rule}\nwith metres of your own" if rule else ""
        yield f"to do: it watches for nothing yet. Add a rule to its file under `rules:`{such}"
    if floor is None:
        yield "to do: no pose, so there are no distances in metres"
        return
    learnt = known(ArtefactStore(Path(config.runtime.state_dir) / "artefacts"), camera)
    if learnt is None:
        yield "to do: teach the empty view, with nobody there; or `run` learns it by itself, from what does not move"
    elif learnt.num_lights < 2:
        yield f"to do: teach the empty view a second light: {_command(config, 'scene learn', camera)}"
    if metres is None:
        yield f"to do: let a vehicle stop at known distances: {_command(config, 'drive-in', camera)} --at 5.0"
    yield f"the nearest floor in view is {floor.nearest_visible_floor():.2f} m ahead of the camera's foot"
    for each in reaches(found, floor):
        if each.is_blind or each.is_poor:
            least = CLEAR * each.nearest_metres
            yield f"to do: rule {each.rule} starts at {each.enter}: raise it to at least {least:.2f} m"


def _command(config: Config, command: str, camera: str) -> str:
    return f"python main.py {command} {config.path} {camera}"


def depth_said(config: Config, camera: str) -> str:
    """After the camera's model was built."""
    heads = [head for name in config.cameras[camera].heads if isinstance(head := config.heads.get(name), DepthHead)]
    if not heads:
        return "the camera has no depth head under `heads`: nothing to fit"
    if any(head.checkpoint == "fit_for_view" for head in heads):
        return "the depth head is fitted to this view; `run` finds it"
    return "its depth head is not one that is fitted to a view: nothing to fit"

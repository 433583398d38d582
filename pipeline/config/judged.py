"""What a running pipeline can take of its file as it is now: camera by camera, a mistake in one holds up no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.config.changes import CameraChange, camera_changes, changed_sections, other_frames
from pipeline.config.checks import check
from pipeline.config.document import read_document
from pipeline.config.loader import Config, config_of
from pipeline.config.problems import ConfigError, Problem
from pipeline.config.readiness import not_built, not_there

Reasons = Mapping[str, str]
"""By camera, why it stays as it was."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as it is now, without the cameras that are mistaken."""

    config: Config
    refused: dict[str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What may be done, and what stays as it was."""

    config: Config
    """From now on: the running one with what may change."""
    changes: dict[str, CameraChange]
    refused: dict[str, str]
    """By camera: mistakes."""
    restart: dict[str, str]
    """By camera: what it wants is not built into what runs."""
    sections: tuple[str, ...] = field(default=())
    """Places outside the cameras that differ; they count from the next start on."""


def read_wanted(path: Path) -> Wanted:
    """Reads and checks a file or folder.

    Raises:
        ConfigError: a mistake outside the cameras, or in every one of them.
    """
    document = read_document(path)
    refused: dict[str, str] = {}
    while True:
        try:
            return Wanted(config_of(path, document), refused)
        except ConfigError as error:
            found = _by_camera(error.problems)
            cameras = document.value.get("cameras")
            if found is None or not isinstance(cameras, dict) or not set(cameras) - set(found):
                raise
            refused |= found
            document.value["cameras"] = {name: each for name, each in cameras.items() if name not in found}


def judge(running: Config, wanted: Wanted, refused: Reasons, restart: Reasons) -> Judged:
    """What of `wanted` may be done while `running` runs.

    Args:
        running: As it is.
        wanted: As the file says.
        refused: Mistakes that were found elsewhere, by camera.
        restart: Likewise, what is not built into what runs.

    Raises:
        ConfigError: no camera would be left.
    """
    no = {**wanted.refused, **refused}
    later = dict(restart)
    after = wanted.config.cameras
    for camera in after.keys() & running.cameras.keys():
        if why := other_frames(running.cameras[camera], after[camera]):
            no.setdefault(camera, why)
    for camera, found in after.items():
        fresh = [name for name in found.heads if name in wanted.config.heads and name not in running.heads]
        if fresh:
            later.setdefault(camera, f"head {fresh[0]} is not loaded by what runs")
    while True:
        config = _with(running, wanted, no.keys() | later.keys())
        changes = camera_changes(running.cameras, config.cameras)
        moved = {camera for camera, each in changes.items() if each.kind not in {"unchanged", "removed"}}
        found = _mistakes(config, moved)
        if not found:
            break
        no |= found
    if not config.cameras:
        first = next(iter(no.values()), "every camera is gone")
        mark = wanted.config.mark(("cameras",))
        raise ConfigError(
            [Problem(mark, ("cameras",), f"expected at least one camera that can run, got none: {first}")]
        )
    for camera in (*no, *later):
        changes.setdefault(camera, CameraChange("unchanged"))
    return Judged(config, changes, no, later, changed_sections(running.sections, wanted.config.sections))


def _with(running: Config, wanted: Wanted, kept: Iterable[str]) -> Config:
    """The running one with the cameras that are wanted; those `kept` stay as they are, or are not there yet. The order
    of what runs stays.
    """
    kept = set(kept)
    cameras, merged = dict(running.cameras), dict(running.merged)
    for camera in [each for each in cameras if each not in wanted.config.cameras and each not in kept]:
        del cameras[camera], merged[camera]
    for camera, found in wanted.config.cameras.items():
        if camera not in kept and cameras.get(camera) != found:
            cameras[camera], merged[camera] = found, wanted.config.merged[camera]
    secrets = {**wanted.config.sections.secrets, **running.sections.secrets}
    sections = running.sections.model_copy(update={"secrets": secrets})
    return replace(running, sections=sections, cameras=cameras, document=wanted.config.document, merged=merged)


def _mistakes(config: Config, changed: set[str]) -> dict[str, str]:
    """Of the cameras that change, beside what runs already: whoever was there first is right."""
    first = {camera: each for camera, each in config.cameras.items() if camera not in changed}
    ordered = replace(config, cameras={**first, **{camera: config.cameras[camera] for camera in changed}})
    problems = [Problem(config.mark(place), place, message) for place, message in check(ordered)]
    problems += [*not_built(ordered), *not_there(ordered)]
    found: dict[str, list[str]] = {}
    for problem in problems:
        for camera in _blamed(config, problem) & changed:
            found.setdefault(camera, []).append(str(problem))
    return {camera: "\n".join(messages) for camera, messages in found.items()}


def _blamed(config: Config, problem: Problem) -> set[str]:
    section, name = (*problem.place, "", "")[:2]
    if section == "cameras":
        return {str(name)}
    if section == "secrets":
        return {camera for camera, each in config.cameras.items() if each.source.credentials == name}
    return set()


def _by_camera(problems: Iterable[Problem]) -> dict[str, str] | None:
    """None: one lies outside the cameras."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        if len(problem.place) < 2 or problem.place[0] != "cameras":
            return None
        found.setdefault(str(problem.place[1]), []).append(str(problem))
    return {camera: "\n".join(messages) for camera, messages in found.items()}

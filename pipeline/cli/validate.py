"""`main.py validate CONFIG`: every mistake at once, then the plan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operators.scene.empty_view import EmptyView
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.cli.drive_in.report import rule_lines, worth
from pipeline.config.check_pose import CLEAR, SURE_PATCHES, reaches, sees_persons_to
from pipeline.config.files_here import awaited, here
from pipeline.config.head_notes import head_notes
from pipeline.config.light_notes import light_note
from pipeline.config.load_plan import LoadPlan, memory_mib, plan_load, wanted_rate
from pipeline.config.loader import Config
from pipeline.config.picture_size import floor_of, shape_shown
from pipeline.config.problems import Problem
from pipeline.config.readiness import not_built, not_there
from pipeline.config.schema import CameraConfig
from pipeline.fetching.address import Address, is_address
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.sources.known_size import size_without_connecting

if TYPE_CHECKING:
    from pipeline.cli.connections import Answer
    from pipeline.cli.validate_model import ModelFindings
    from pipeline.control.drive_ins import DriveIns


def validate(
    config: Annotated[Path, typer.Argument(help="One YAML file, or a directory with one file per camera.")],
    probe: Annotated[bool, typer.Option("--probe", help="Open every camera and broker once.")] = False,
    measure: Annotated[bool, typer.Option(help="Measure the bare model for three seconds.")] = True,
) -> None:
    """Check a configuration and print the plan; starts nothing and publishes nothing.

    Exits 2 for mistakes, for parts that are not built and for more pictures than the model gives, 3 for files or
    secrets that are not on this machine and for heads that do not fit the weights, 1 if a probe failed.
    """
    written = load(config)
    loaded = here(written)
    answers = _probe(loaded) if probe else []
    sizes = {camera: size for each in answers for camera, size in each.sizes.items()}
    typer.echo(f"{config}: right; {len(loaded.cameras)} cameras, site {loaded.site.name} ({loaded.site.timezone})")
    for camera, found in loaded.cameras.items():
        size = sizes.get(camera) or size_without_connecting(camera, found.source)
        for line in _camera_lines(loaded, camera, found, size):
            typer.echo(line)
    unbuilt, missing = not_built(loaded), not_there(loaded)
    told = {each.place for each in missing}
    missing += [each for each in _unreachable(written) if each.place not in told]
    model = None
    if measure or loaded.heads:
        from pipeline.cli.validate_model import ask_model  # brings torch, which nothing before it waits for

        model = ask_model(loaded, has_weights=all(each.place != ("model", "weights") for each in missing))
        told = {each.place for each in missing}
        missing += [each for each in model.unfit if each.place not in told]
        unbuilt += model.unreadable
        for line in _metres_lines(loaded, model.drive_ins):
            typer.echo(line)
    plan = _plan(loaded, model if measure else None)
    for each in answers:
        typer.echo(f"{'ok  ' if each.is_good else 'FAIL'} {each.name}: {each.said}")
    if unbuilt or missing:
        raise UserError(
            "right, but it cannot run here:\n" + "\n".join(str(each) for each in (*unbuilt, *missing)),
            exit_code=2 if unbuilt else 3,
        )
    if plan is not None and (refusal := plan.refusal(loaded.runtime.admission)):
        raise UserError(refusal)
    if not all(each.is_good for each in answers):
        raise typer.Exit(1)


def _camera_lines(config: Config, camera: str, found: CameraConfig, size: tuple[int, int] | None) -> Iterator[str]:
    spec = config.camera_spec(camera)
    rate = f"{found.sample.fps:g} fps" if found.sample.fps else "all frames"
    yield (
        f"  {camera}: {found.source.shown}, {rate} ({found.sample.policy}), {shape_shown(config, size)}, "
        f"heads {' '.join(found.heads)}{_rules(found)}"
    )
    if light := _light(config, camera, is_needed=spec.needs_subjects):
        yield f"    {light}"
    if not found.rules:
        yield "    note: no rules yet: its results are published, and nothing raises an alert"
    for note in head_notes(config, camera, size):
        yield f"    note: {note}"
    floor = floor_of(config, camera, size)
    if floor is None:
        return
    if spec.needs_subjects:
        metres = sees_persons_to(floor, config.model.patch)
        yield (
            f"    a person shows {SURE_PATCHES:g} patches or more up to about {metres:.0f} m ahead, and may be missed "
            "beyond; a larger shape under `model.shapes` sees farther"
        )
    for each in reaches(found, floor):
        if each.is_blind or each.is_poor:
            sees = "nothing of a subject" if each.is_blind else "little of a subject"
            yield (
                f"    WARNING: {each.rule} starts at {each.enter}, and the nearest floor in view is "
                f"{each.nearest_metres:.2f} m from the line: {sees} is seen there. Raise it to at least "
                f"{CLEAR * each.nearest_metres:.2f} m ({CLEAR:g} times that), or tilt the camera down"
            )


def _metres_lines(config: Config, drive_ins: Mapping[str, DriveIns]) -> Iterator[str]:
    """Where rules in metres fire, by the drive-ins of each camera."""
    for camera, each in drive_ins.items():
        said = [*([each.note] if each.note else []), *([] if each.metres is None else worth(each.metres))]
        for line in (*said, *rule_lines(config.cameras[camera].rules, each.metres)):
            yield f"metres of {camera}: {line}"


def _rules(found: CameraConfig) -> str:
    return f", rules {' '.join(found.rules)}" if found.rules else ""


def _light(config: Config, camera: str, *, is_needed: bool) -> str:
    """How far the empty view is learnt, from the artefacts of an earlier run; empty: not at all, and unneeded."""
    store = ArtefactStore(Path(config.runtime.state_dir) / "artefacts")
    newest = store.latest(f"view/{camera}")
    if newest is None and not is_needed:
        return ""
    num_lights = EmptyView.from_bytes(store.get(newest)).num_lights if newest else 0
    found = config.cameras[camera]
    return light_note(found.rules, newest, num_lights, has_pose=found.view is not None)


def _plan(config: Config, model: ModelFindings | None) -> LoadPlan | None:
    """Measures the model, where there is one; prints it, rates, age and memory. None: its rate is not known."""
    cores = os.cpu_count() or 1
    runtime = config.runtime
    decoders = runtime.decoders if isinstance(runtime.decoders, int) else 1
    analyzers = runtime.analyzers if isinstance(runtime.analyzers, int) else 1
    memory = memory_mib(config, decoders + analyzers + runtime.publishers + 1)
    typer.echo(f"memory: about {memory} MiB")
    rate = None if model is None else model.measured(config, cores)
    if rate is None:
        backbone, named = config.model.backbone, config.model.weights
        offered = sum(wanted_rate(camera) for camera in config.cameras.values())
        weights = Address.of(named).shown if is_address(named) else named
        typer.echo(f"model {backbone}, weights {weights}: not measured")
        typer.echo(f"load: {offered:.1f} pictures/s offered")
        return None
    plan = plan_load(config, rate, cores)
    rest = [name for name, wanted in plan.wanted.items() if wanted == 0]
    typer.echo(
        f"model: {rate:.1f} pictures/s bare on {cores} cores, {plan.capacity:.1f} while the cameras decode "
        f"({plan.decode_cores:.2f} cores)"
    )
    typer.echo(f"load: {plan.offered:.1f} pictures/s offered, {plan.share:.0%}")
    if rest:
        typer.echo(f"      {', '.join(rest)}: as fast as the others leave room")
    age = plan.age_seconds(cores)
    if age is not None:
        typer.echo(f"age of a result: about {age * 1000:.0f} ms, half of them less")
    elif plan.share > 1:
        typer.echo(f"age of a result: bounded by sample.max_age; about {1 - 1 / plan.share:.0%} of pictures dropped")
    return plan


def _unreachable(config: Config) -> list[Problem]:
    """Addresses that give no file now; tells of those that do. Libraries that lack are told by `not_there`."""
    problems: list[Problem] = []
    for place, shown, why in awaited(config):
        if why:
            problems.append(Problem(config.mark(place), place, why))
        else:
            typer.echo(f"{'.'.join(map(str, place))}: {shown} can be had and is not here yet; `run` fetches it")
    return problems


def _probe(config: Config) -> list[Answer]:
    from pipeline.cli.connections import probe

    return probe(config)

"""`main.py run CONFIG`: the pipeline, until its files end or it is told to stop."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import IO, Annotated

import typer

from operators.backbone import WeightsError
from pipeline.cli.app import UserError
from pipeline.cli.table import CameraTable, Seen, dropped
from pipeline.clock import SystemClock
from pipeline.config.files_here import fetched
from pipeline.config.head_notes import head_notes
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.config.readiness import check_ready
from pipeline.control.changes.file_watch import hangups
from pipeline.control.model import model_spec
from pipeline.control.runtime import started
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.errors import PipelineError
from pipeline.redaction import RedactedOutput, redact_logs
from pipeline.sources.known_size import size_without_connecting

DRAIN_SECONDS = 30.0


def run(
    config: Annotated[Path, typer.Argument(help="One YAML file, or a directory with one file per camera.")],
    drain: Annotated[float, typer.Option(help="Seconds that a clean stop may take.")] = DRAIN_SECONDS,
) -> None:
    """Run the pipeline. SIGTERM drains and exits 0; a second SIGTERM leaves at once."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    redact_logs()
    try:
        loaded = load_config(config)
        check_ready(loaded)
        with RedactedOutput() as output:
            is_clean = run_pipeline(loaded, drain, output.terminal)
    except ConfigError as error:
        raise UserError(str(error)) from None
    except (PipelineError, WeightsError) as error:
        if isinstance(error, PipelineError) and error.code == "stopped":
            sys.exit(0)
        raise UserError(str(error), exit_code=3) from None
    sys.exit(0 if is_clean else 1)


def run_pipeline(config: Config, drain_seconds: float, screen: IO[str]) -> bool:
    """Runs to the end; True if every frame is accounted for and settled."""
    table = CameraTable(lambda camera: _seen(latest, camera), screen)
    latest: list[PipelineSnapshot] = []

    def show(snapshot: PipelineSnapshot) -> None:
        latest[:] = [snapshot]
        table.show(snapshot)

    if (whole := fetched(config, table.say)) is not config:
        check_ready(whole)
    for camera, found in whole.cameras.items():
        for note in head_notes(whole, camera, size_without_connecting(camera, found.source)):
            table.say(f"{camera}: {note}")
    model = model_spec(config, progress=lambda what, done, of: table.say(f"{what}: {done} of {of}"))
    with started(config, model, SystemClock(), table.say, hangups()) as running:
        model = running.supervisor.snapshot().model
        if model is not None:
            table.say(
                f"model {model.name}, weights {model.weights} ({model.fingerprint[:12]}), licence {model.licence}"
            )
        if running.address:
            table.say(f"http://{running.address}/status /metrics /readyz /livez")
        with table:
            running.loop(show)
            table.say("draining")
            is_clean = running.supervisor.drain(drain_seconds)
        final = running.supervisor.snapshot()
    failed = [each for each in final.cameras if each.state == "failed"]
    for each in failed:
        table.say(f"{each.camera}: failed: {each.reason}")
    is_clean = is_clean and (running.stop.is_set() or not failed)
    for camera in sorted({*running.supervisor.config().cameras, *final.closed}):
        total = final.total(camera)
        table.say(
            f"{camera}: decoded {total.decoded}, analysed {total.analysed}, gated {total.gated}, "
            f"dropped {dropped(total)}, unaccounted {total.unaccounted}"
        )
        is_clean = is_clean and total.unaccounted == 0
    return is_clean


def _seen(latest: list[PipelineSnapshot], camera: str) -> Seen:
    """What the publisher last said of a camera: the rules' values."""
    for publisher in latest[0].publishers.values() if latest else ():
        values = [
            f"{rule} {each.value:.1f} {each.unit}".rstrip() if each.value is not None else f"{rule} -"
            for rule, each in publisher.rules.get(camera, {}).items()
            if each.is_known
        ]
        if values:
            return Seen(nearest=", ".join(values))
    return Seen()

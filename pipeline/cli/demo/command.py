"""`main.py demo`: from nothing to a proof."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import torch
import typer

from operators.backbone import Engine, WeightsError
from operators.backbone.config import ModelConfig
from pipeline.cli.app import UserError
from pipeline.cli.demo.learning import learn_view, vehicle_bank
from pipeline.cli.demo.live import Live, run_live
from pipeline.cli.demo.recording import Recording, write_clip
from pipeline.cli.demo.stage import (
    DOCK_SEEDS,
    OTHER_SEEDS,
    RTSP_FPS,
    RTSP_LEAD_SECONDS,
    SHAPE,
    Rates,
    choose_rates,
    start_servers,
    write_config,
)
from pipeline.cli.demo.summary import summarise
from pipeline.config.loader import load_config
from pipeline.control.bare_model import bare_rate
from pipeline.control.model import ModelSpec, build_analyzer, load_engine, model_spec
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.local.child import ServerError
from pipeline.redaction import RedactedOutput, redact_logs

MIN_SECONDS = 20
_TAIL_SECONDS = 1.5
"""After the last visit: the release, and a sampling period."""
_RTSP_REST_SECONDS = 20.0
"""The camera goes on while the pipeline drains."""


@dataclass(slots=True)
class Screen:
    """Plain lines on the real standard output; progress in steps of a quarter."""

    file: IO[str]
    _quarter: tuple[str, int] = ("", -1)

    def say(self, line: str) -> None:
        self.file.write(line + "\n")
        self.file.flush()

    def progress(self, what: str, done: int, of: int) -> None:
        quarter = (what, 4 * done // of)
        if quarter != self._quarter:
            self._quarter = quarter
            self.say(f"  {what}: {done} of {of}")


def demo(
    seconds: Annotated[int, typer.Option(min=MIN_SECONDS, help="From the first analysed frame.")] = 60,
    weights: Annotated[str, typer.Option(help="standin, random, official, or a file.")] = "standin",
    compare: Annotated[str, typer.Option(help="`random`: judge the recorded frames with random weights too.")] = "",
    out: Annotated[Path, typer.Option(help="Folder; emptied first.")] = Path("out/demo"),
) -> None:
    """Show everything at once: servers, four cameras, alerts, pictures, and a proof. Exit 0 only if the proof holds."""
    if compare not in {"", "random"}:
        raise UserError(f"--compare: expected random, got {compare!r}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    redact_logs()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        with RedactedOutput() as output, ExitStack() as stack:
            is_proven = _play(stack, Screen(output.terminal), out, float(seconds), weights=weights, compare=compare)
    except (PipelineError, WeightsError, ServerError) as error:
        raise UserError(str(error), exit_code=3) from None
    sys.exit(0 if is_proven else 1)


def _play(stack: ExitStack, screen: Screen, out: Path, seconds: float, *, weights: str, compare: str) -> bool:
    began = time.monotonic()
    screen.say(f"dinostream demo, {seconds:.0f} s; everything it leaves is in {out}/")
    engine = _engine(weights, screen)
    about = engine.backbone.info
    servers = start_servers(stack, out)
    screen.say(f"servers: {servers.redis}, kafka {servers.kafka}, {servers.rtsp.url('dock')}")
    lanes = len(os.sched_getaffinity(0))
    torch.set_num_threads(1)  # as in a lane: the model is measured as it will run
    rates = choose_rates(bare_rate(engine, SHAPE, lanes=lanes))
    torch.set_num_threads(lanes)
    screen.say(_rates_text(rates))
    schedule = seconds - RTSP_LEAD_SECONDS - _TAIL_SECONDS
    docks = [
        Recording("dock-sim", DOCK_SEEDS["dock-sim"], schedule),
        Recording("dock-rtsp", DOCK_SEEDS["dock-rtsp"], schedule, RTSP_LEAD_SECONDS),
    ]
    others = [Recording(camera, seed, seconds) for camera, seed in OTHER_SEEDS.items()]
    _write_clips(docks[1], others, rates, out=out, seconds=seconds, screen=screen)
    bank = vehicle_bank(engine, SHAPE, docks[0].scene.pose, screen.progress)
    path = out / "cameras.yaml"
    write_config(path, servers, rates=rates, recordings=[*docks, *others], bank=bank, weights=about.weights)
    config = load_config(path)
    spec = model_spec(config, engine, screen.progress)
    _learn_views(spec, engine, docks, screen)
    screen.say(f"prepared in {time.monotonic() - began:.0f} s; the configuration is {path}")
    live = Live(config, spec, servers, tuple(docks), tuple(others), rates, out, seconds)
    played = run_live(live, screen.file)
    return summarise(live, played, compare=bool(compare), say=screen.say, progress=screen.progress)


def _engine(weights: str, screen: Screen) -> Engine:
    """The stand-in that cannot be had becomes random weights, aloud; nothing else is ever replaced."""
    try:
        engine = load_engine(ModelConfig(backbone="dinov2_vits14", weights=weights, shapes=(SHAPE,)))
    except WeightsError as error:
        if weights != "standin":
            raise
        screen.say(f"the stand-in weights cannot be had: {error}")
        screen.say("going on with RANDOM weights: frames, brokers and counts are real, distances and labels are not")
        return _engine("random", screen)
    backbone = engine.backbone
    screen.say(f"weights: {backbone.info.weights} ({backbone.fingerprint[:12]}), {backbone.info.origin}")
    return engine


def _rates_text(rates: Rates) -> str:
    share = 100 * rates.offered / rates.bare
    return (
        f"the model alone gives {rates.bare:.1f} pictures/s here; the docks ask for {rates.dock:g} a second each, "
        f"archive and weighbridge for {rates.other:g}: {rates.offered:.1f} in all, {share:.0f} % of it"
    )


def _write_clips(
    rtsp: Recording, others: list[Recording], rates: Rates, *, out: Path, seconds: float, screen: Screen
) -> None:
    length = RTSP_LEAD_SECONDS + seconds + _RTSP_REST_SECONDS
    write_clip(rtsp, out / "dock-rtsp.mp4", RTSP_FPS, length, lambda n, of: screen.progress("clip for RTSP", n, of))
    for each in others:
        write_clip(each, out / f"{each.camera}.mp4", rates.other, seconds, lambda _n, _of: None)


def _learn_views(spec: ModelSpec, engine: Engine, docks: list[Recording], screen: Screen) -> None:
    analyzer = build_analyzer(spec, engine=engine)
    for dock in docks:
        lights = learn_view(analyzer, dock.camera, dock.scene, SHAPE, ArtefactStore(spec.artefacts))
        screen.say(f"  {dock.camera}: empty view learnt under {lights} other lights")

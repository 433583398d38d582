"""What `validate` asks of the model itself, heads and rate included. It brings torch: loaded where there is a model to
ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import typer

from operators.backbone import Engine, WeightsError, load_backbone
from operators.backbone.official_depth_anything import PUBLISHED
from operators.backbone.weights_folder import default_cache_dir
from pipeline.cli.app import UserError
from pipeline.config.loader import Config
from pipeline.config.problems import Problem
from pipeline.control.bare_model import bare_rate
from pipeline.control.drive_ins import DriveIns
from pipeline.control.drive_ins_here import drive_ins_here, out_of_range, tight_rules
from pipeline.control.head_faults import head_faults
from pipeline.fetching.address import is_address


@dataclass(frozen=True, slots=True)
class ModelFindings:
    """What was found without fitting or downloading anything."""

    engine: Engine | None
    """None: its weights are not at hand."""
    unfit: list[Problem]
    """Heads that cannot be used with the weights."""
    drive_ins: dict[str, DriveIns]
    """By camera that has a depth head."""
    unreadable: list[Problem]
    """Rules that ask for more than the camera's depth can tell."""

    def measured(self, config: Config, cores: int) -> float | None:
        """Pictures a second of the bare model, `cores` at once; says which model that is. None: it is not here."""
        if self.engine is None:
            return None
        info = self.engine.backbone.info
        typer.echo(
            f"model {config.model.backbone}, weights {config.model.weights} ({info.origin}), "
            f"fingerprint {self.engine.backbone.fingerprint[:12]}, licence {info.licence}"
        )
        torch.set_num_threads(1)
        return bare_rate(self.engine, config.model.shapes[0], lanes=cores)


def ask_model(config: Config, *, has_weights: bool) -> ModelFindings:
    """Loads the backbone where its weights are at hand (`has_weights`: they are not known to be missing).

    Raises:
        UserError: the weights are there and cannot be used.
    """
    engine = _engine(config) if has_weights else None
    drive_ins = drive_ins_here(config, engine)
    unreadable = [*tight_rules(config, drive_ins), *out_of_range(config, drive_ins)]
    return ModelFindings(engine, [] if engine is None else head_faults(config, engine), drive_ins, unreadable)


def _engine(config: Config) -> Engine | None:
    """The backbone where its weights are at hand; validating downloads nothing."""
    model = config.model
    if is_address(model.weights):
        return None
    if model.weights == "official" and not (default_cache_dir() / PUBLISHED[model.backbone].file).is_file():
        typer.echo(f"weights: {PUBLISHED[model.backbone].file} is not here yet; `models download` or `run` brings it")
        return None
    try:
        return Engine(load_backbone(model.backbone, model.weights, licences=model.licences), model.precision)
    except WeightsError as error:
        raise UserError(str(error), exit_code=3) from None

"""A camera of a configuration, named on the command line."""

from __future__ import annotations

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.config.loader import Config
from pipeline.config.schema import CameraConfig


def camera_of(config: Config, camera: str) -> CameraConfig:
    """The camera.

    Raises:
        UserError: there is none of that name.
    """
    if camera not in config.cameras:
        known, hint = ", ".join(config.cameras), did_you_mean(camera, config.cameras)
        raise UserError(f"unknown camera {camera!r}: expected one of {known}{hint}")
    return config.cameras[camera]

"""What the cameras ask for against what the model gives. Pure; `validate` prints it and refuses by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operators.backbone.architectures import architecture
from pipeline.config.loader import Config
from pipeline.config.schema import CameraConfig

UNSTATED_FPS = 25.0
"""Pictures per second that a live camera is reckoned with where `sample.fps` is left out."""
DECODE_CORES_PER_FPS = 1.56 / (24 * 25)
"""CPU cores per decoded 720p picture a second. Source: own measurement, 24 cameras at 25 fps."""
CAMERA_FPS = 25.0
"""What a live camera is taken to send, and so what must be decoded whatever is sampled."""
PLUMBING_SECONDS = 0.005
"""From decoded to published without the model, half of all frames."""
MIB_PER_CAMERA = 12
MIB_PER_PROCESS = 290
"""Of a decoder, a publisher, the driver, and an analyzer before its weights. Source: own measurement, 290 to 420."""
MIB_OF_RAY = 490
"""Source: own measurements, with plain `ray`."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One machine's load. Rates in pictures per second."""

    wanted: Mapping[str, float]
    """By camera; 0: takes what the others leave (a file or topic without `sample.fps`)."""
    model_rate: float
    """Of the bare model with all cores to itself."""
    cores: int
    decode_cores: float

    @property
    def offered(self) -> float:
        return sum(self.wanted.values())

    @property
    def capacity(self) -> float:
        """What is left for the model while the cameras decode."""
        return self.model_rate * max(0.0, self.cores - self.decode_cores) / self.cores

    @property
    def share(self) -> float:
        """Offered by capacity; more than 1 cannot be met."""
        return self.offered / self.capacity if self.capacity > 0 else float("inf")

    def age_seconds(self, lanes: int) -> float | None:
        """Expected age of a published result, from the picture to the broker; None: over capacity.

        Source: mean wait of an M/D/c queue, approximated as sqrt(2 (c + 1)) in Sakasegawa 1977.
        """
        if self.share >= 1:
            return None
        service = lanes / self.capacity
        power = (2 * (lanes + 1)) ** 0.5 - 1
        wait = service / 2 * self.share**power / (lanes * (1 - self.share))
        return PLUMBING_SECONDS + service + wait

    def refusal(self, admission: str) -> str | None:
        """Why this load is not started, for people; None: it is."""
        if admission == "degrade" or self.share <= 1:
            return None
        return (
            f"the cameras ask for {self.offered:.1f} pictures/s, expected at most {self.capacity:.1f}: lower "
            "sample.fps, add cores or a GPU, or accept dropped pictures with runtime.admission: degrade"
        )


def plan_load(config: Config, model_rate: float, cores: int) -> LoadPlan:
    """The load of all cameras on a machine with `cores` whose bare model gives `model_rate`."""
    wanted = {name: wanted_rate(camera) for name, camera in config.cameras.items()}
    decode = sum(decoded_rate(camera) * DECODE_CORES_PER_FPS for camera in config.cameras.values())
    return LoadPlan(wanted, model_rate, cores, decode)


def wanted_rate(camera: CameraConfig) -> float:
    """Pictures per second that the model sees at most; 0: as fast as there is room."""
    source = camera.source
    if source.is_patient and (camera.sample.fps is None or camera.sample.policy == "every_frame"):
        return 0.0
    fps = UNSTATED_FPS if camera.sample.fps is None else camera.sample.fps
    return min(fps, source.known_fps or fps)


def decoded_rate(camera: CameraConfig) -> float:
    """Pictures per second that are decoded whatever is sampled."""
    source = camera.source
    is_camera = not source.is_replayable and source.known_fps is None
    return CAMERA_FPS if is_camera else wanted_rate(camera)


def memory_mib(config: Config, num_processes: int) -> int:
    """About what the whole takes: Ray, processes, weights in fp32, cameras."""
    weights = architecture(config.model.backbone).num_parameters * 4 // 2**20
    return MIB_OF_RAY + num_processes * MIB_PER_PROCESS + weights + MIB_PER_CAMERA * len(config.cameras)

"""The loading dock: a scene in real perspective whose depth, masks and distances are exactly known."""

from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import KINDS, Kind, MoverState, reach_metres
from pipeline.simulation.pose import POSES, Camera, Pose
from pipeline.simulation.rendered import MoverTruth, Rendered
from pipeline.simulation.schedule import Schedule, ScheduledEvent
from pipeline.simulation.training import KNOWN_KINDS, placed, placed_apart, training_frames
from pipeline.simulation.truth import nearest_truth, truth_crossings

__all__ = [
    "KINDS",
    "KNOWN_KINDS",
    "POSES",
    "Camera",
    "DockScene",
    "Kind",
    "Light",
    "MoverState",
    "MoverTruth",
    "Pose",
    "Rendered",
    "Schedule",
    "ScheduledEvent",
    "nearest_truth",
    "placed",
    "placed_apart",
    "reach_metres",
    "training_frames",
    "truth_crossings",
]

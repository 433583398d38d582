"""`view:`, `lines:`, `zones:`, `scene:` of a camera."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from operators.section import Section
from operators.units import Degrees, Metres, Seconds

Point = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3)]
FloorPoint = tuple[float, float]
"""(x, y) metres on the floor: x to the right of the camera's foot, y ahead of it."""


class ViewConfig(Section):
    """How pixels become metres: where the camera hangs and where it looks."""

    hfov: Degrees
    """Horizontal field of view of the whole picture."""
    height: Metres
    """Of the lens above the floor."""
    pitch: Degrees
    """Below the horizon, positive down."""
    yaw: Degrees = 0.0
    """Of the optical axis to the right of the line's normal; `here` is square to the heading at yaw 0."""


Line = Literal["here"] | tuple[FloorPoint, FloorPoint]
"""`here`: through the camera's foot, square to its heading; or two points on the floor in metres."""


class SceneConfig(Section):
    """The life of the empty view."""

    absorb_after: Seconds = 1800.0
    """A parked thing becomes part of the view after this long, unless an episode needs it."""
    hold_below: Seconds = 600.0
    """What sinks below the picture, nearer than the camera can see, keeps its last distance for this long at most; an
    episode that it holds then ends, and says why. See docs/metres.md."""

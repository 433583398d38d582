"""`rules:` of a camera: one measure, two thresholds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from operators.rules.learnt import checked_rate
from operators.section import Section
from operators.units import ByteSize, Comparison, Metres, Seconds

Day = Annotated[str, Field(pattern=r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$")]
HourSpan = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$")]


class OfConfig(Section):
    """Which subjects count: those that a labelling head calls one of `is`."""

    head: str
    is_: tuple[str, ...] = Field(alias="is", min_length=1)


class FalseAlarms(Section):
    """A threshold learnt from the camera's own last hours."""

    false_alarms: Annotated[str, AfterValidator(checked_rate)]
    """Such as `1 per day`: so often the value may pass the threshold by chance. Until so much time was seen (a day for
    `1 per day`), the rule is unknown."""


class ClipWish(Section):
    """A clip of what led to a `start`: the camera's own video where it can be had and has no `privacy`, else encoded
    from the pictures that were sampled, at most 640 pixels wide.
    """

    before: Annotated[Seconds, Field(ge=0, le=60)] = 10.0
    after: Annotated[Seconds, Field(ge=0, le=60)] = 5.0
    max_bytes: Annotated[ByteSize, Field(ge=65536)] = 16 * 2**20
    """Of one clip; its end is left out beyond. At most twice as much is kept in memory for each camera, four times for
    files and topics."""


class EvidenceWish(Section):
    """What a `start` brings along."""

    snapshot: bool = True
    history: Seconds = 10.0
    clip: ClipWish | None = None


class NotifyConfig(Section):
    """When to notify people; the episode itself is always published."""

    cooldown: Seconds = 0.0


Accepted = Literal["uncalibrated", "one_light"]


def _listed(value: object) -> object:
    """One word is a list of one."""
    return () if value is None else [value] if isinstance(value, str) else value


class RuleConfig(Section):
    """Watches one number and turns it into episodes with one `start` and one `end`."""

    measure: str
    """Such as `distance_to(dock)`; the closed table stands in `operators/rules/measures.py`."""
    in_: str | None = Field(default=None, alias="in")
    """Zone that a subject must touch."""
    of: OfConfig | None = None
    enter: Comparison | FalseAlarms
    exit: Comparison | None = None
    """Must lie beyond `enter`; may be left out only where `enter` is learnt."""
    margin: Literal["auto"] | Annotated[Metres, Field(ge=0)] = "auto"
    """Of a rule that starts below a distance: added to `enter` and `exit`, so that a vehicle that reads too far is not
    missed. `auto`: what the camera's drive-ins say for `severity: critical`, else 0m. See docs/metres.md."""
    hold: Seconds = 0.0
    """How long `enter` must hold before `start`."""
    release: Seconds = 0.0
    """How long `exit` must hold before `end`."""
    on_unknown: Literal["hold", "clear", "alarm"] = "hold"
    severity: Literal["info", "warning", "critical"] = "warning"
    evidence: EvidenceWish | None = None
    notify: NotifyConfig = NotifyConfig()
    armed: dict[Day, HourSpan] | None = None
    """Weekly, in the site's time zone; left out: always."""
    accept: Annotated[tuple[Accepted, ...], BeforeValidator(_listed)] = ()
    """Doubts to live with, one or a list: `uncalibrated` metres of a lens that is not known, `one_light` an empty view
    that has seen no second light."""

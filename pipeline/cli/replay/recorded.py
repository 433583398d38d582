"""Results and alerts as they were published, with what a replay needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from operators.rules.config import NotifyConfig, RuleConfig
from operators.rules.measures import Reading
from operators.units import Threshold
from pipeline.frame_path.publisher.wire_result import WireRule
from pipeline.frame_path.publisher.wire_version import event_of

NEVER = Threshold(">", float("inf"))
"""In place of a threshold that is still being learnt; its readings are unknown."""


class RecordedTimes(msgspec.Struct, frozen=True):
    """The one that rules look at."""

    rule_time_ns: int


class Recorded(msgspec.Struct, frozen=True):
    """A result without its arrays."""

    id: str
    camera: str
    times: RecordedTimes
    rules: dict[str, WireRule] = {}
    tick: bool = False
    number: int = 0
    period_ns: int = 0

    @property
    def time_ns(self) -> int:
        return self.times.rule_time_ns


class RecordedAlert(msgspec.Struct, frozen=True):
    """Start or end of an episode."""

    id: str
    camera: str
    rule: str
    episode: int
    transition: str
    rule_time_ns: int
    began_ns: int
    value: float | None
    notify: bool
    reason: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_EVENT = msgspec.json.Decoder(_Event)
_RESULT = msgspec.json.Decoder(Recorded)
_ALERT = msgspec.json.Decoder(RecordedAlert)


def events(lines: Iterable[bytes]) -> Iterator[Recorded | RecordedAlert]:
    """Of JSON lines as `subscribe` prints them; other kinds are passed over.

    Raises:
        ValueError: a line is no event, or one of another major version.
    """
    for number, line in enumerate(lines, 1):
        try:
            event = _EVENT.decode(line)
            match event_of(event.type):
                case "result":
                    yield _RESULT.decode(event.data)
                case "alert.start" | "alert.end":
                    yield _ALERT.decode(event.data)
                case _:
                    pass
        except msgspec.DecodeError as error:
            msg = f"line {number} is no event: expected a JSON object as `subscribe` prints it ({error})"
            raise ValueError(msg) from None


@dataclass(slots=True)
class Alerts:
    """Recorded starts and ends of one camera, each once."""

    by_id: dict[str, RecordedAlert] = field(default_factory=dict[str, RecordedAlert])

    def add(self, alert: RecordedAlert) -> None:
        """Twice is once."""
        self.by_id.setdefault(alert.id, alert)

    def notified_before(self, rule: str, episode: int) -> RecordedAlert | None:
        """The newest start up to `episode` that told people: a cooldown may still run."""
        told = [
            each
            for each in self.by_id.values()
            if each.rule == rule and each.transition == "start" and each.notify and each.episode <= episode
        ]
        return max(told, key=lambda each: each.episode, default=None)


def reading_of(record: Recorded, wire: WireRule) -> Reading | None:
    """What the rule was given; None: a tick, time alone."""
    if record.tick and wire.reason == "tick":
        return None
    return Reading(wire.value, wire.sigma, wire.is_known, wire.reason)


def rule_of(wire: WireRule) -> RuleConfig:
    """The rule that judged: thresholds as they were at this result."""
    return RuleConfig.model_construct(
        measure=wire.measure,
        enter=threshold_of(wire.enter) or NEVER,
        exit=threshold_of(wire.exit),
        hold=wire.hold_seconds,
        release=wire.release_seconds,
        on_unknown=wire.on_unknown,
        notify=NotifyConfig(cooldown=wire.cooldown_seconds),
    )


def threshold_of(text: str) -> Threshold | None:
    """Of `< 3 m` as results say it, in any notation of its number; None: there is none."""
    if not text:
        return None
    comparator, value, *unit = text.split()
    return Threshold(comparator, float(value), "".join(unit))  # pyright: ignore[reportArgumentType]

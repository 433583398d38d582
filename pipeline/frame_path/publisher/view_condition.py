"""In which condition one camera's empty view is: learning, well, or the camera no longer shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from operators.camera import CameraSpec
from operators.rules.measures import parse_measure
from operators.scene.view_check import SURE, Verdict, ViewState, ViewWatch

SceneWord = Literal["", "ok", "learning", "one_light", "moved", "covered", "blurred"]
"""As on the wire; empty: no rule of the camera needs the view, and none is learnt."""

LIGHTS_NEEDED = 2

_FAULTS: dict[ViewState, tuple[str, str]] = {
    "moved": ("the camera was moved, or what it looks at was", "Put it back"),
    "covered": ("the lens is covered or dirty", "Free or clean it"),
    "blurred": ("the picture is out of focus", "Focus or clean the lens"),
}
_CHECKING = "the picture does not show the learnt view"


class StoredCondition(msgspec.Struct):
    """What is remembered of it, also over a restart."""

    watch: ViewWatch = ViewWatch()
    word: SceneWord = ""
    since_ns: int = 0
    """Rule time since when it is that."""
    changes: int = 0
    """Numbers the events, for ever."""


@dataclass(frozen=True, slots=True)
class Condition:
    """After one frame."""

    word: SceneWord
    text: str
    """One sentence for people."""
    fault: str
    """Why subjects, zones and rules are unknown at this frame; empty: they are known, as far as this goes."""
    number: int | None
    """Of the event that says so; None: nothing has changed."""


class ViewCondition:
    """Steps the stored condition of one camera."""

    def __init__(self, spec: CameraSpec, stored: StoredCondition) -> None:
        self._spec = spec
        self._stored = stored
        needing = [rule for rule in spec.rules.values() if parse_measure(rule.measure).needs.subjects]
        self._accepts_one = bool(needing) and all("one_light" in rule.accept for rule in needing)

    def see(self, verdict: Verdict, lights: int, rule_time_ns: int) -> Condition:
        """One frame.

        Args:
            verdict: what it says of the view.
            lights: of the view that it met; 0: none.
            rule_time_ns: of it.
        """
        stored = self._stored
        stored.watch = stored.watch.step(verdict, rule_time_ns)
        word, before = self._word(lights), stored.word
        number = None
        if word != before:
            stored.word, stored.since_ns = word, rule_time_ns
            if before or word in _FAULTS:  # that a new camera learns is said by its results
                stored.changes += 1
                number = stored.changes
        fault = ""
        if stored.watch.state != "ok":
            fault = f"{word}: {_FAULTS[stored.watch.state][0]}"
        elif verdict in SURE:
            fault = _CHECKING
        return Condition(word, self.text(lights), fault, number)

    @property
    def is_well(self) -> bool:
        """Whether the newest frames show the view: only then is it learnt."""
        return self._stored.watch.state == "ok" and self._stored.watch.against is None

    def text(self, lights: int) -> str:
        """The condition as a sentence that says what to do."""
        camera, word = self._spec.camera, self._word(lights)
        unknown = "rules that need subjects are unknown"
        match word:
            case "moved" | "covered" | "blurred":
                what, cure = _FAULTS[word]
                return (
                    f"{camera}: {what}; its subjects, zones and rules are unknown. {cure}, or teach it what it shows "
                    f"now: main.py scene learn CONFIG {camera} --anew"
                )
            case "learning" if self._accepts_one:
                return f"{camera}: the empty view has seen no light yet; {unknown} until it has seen one, as accepted"
            case "learning":
                return (
                    f"{camera}: the empty view has seen {lights} of {LIGHTS_NEEDED} lights; {unknown} until it has. "
                    f"It learns by itself as the light changes; sooner: main.py scene learn CONFIG {camera}"
                )
            case "one_light":
                by = "looks" if self._spec.view is None else "depth"
                return f"{camera}: the empty view has seen one light; subjects are found by {by} alone, as accepted"
            case "ok":
                return f"{camera}: shows its empty view, learnt under {lights} lights"
            case _:
                return ""

    def _word(self, lights: int) -> SceneWord:
        state = self._stored.watch.state
        if state != "ok":
            return state
        if lights >= LIGHTS_NEEDED:
            return "ok"
        if not self._spec.needs_subjects and lights == 0:
            return ""
        return "one_light" if lights == 1 and self._accepts_one else "learning"

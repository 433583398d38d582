"""What is printed and what is judged of the alarm's clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.bench.alarm_clips import FPS
from tests.bench.alarm_watch import ClipScore, Event, FrameScore, times

HOLD_SECONDS, RELEASE_SECONDS = 0.6, 1.0
FAR_METRES, NEAR_METRES = 8.0, 4.5
"""Errors are asked under the one, and again under the other."""
BAND_METRES = 0.6
"""An episode may begin and end this much of way off, besides two sampling periods."""


def is_start_right(score: ClipScore, events: Sequence[Event], rule: str = "close") -> bool:
    """Exactly one start, near the true crossing plus hold."""
    crossing = score.clip.crossing_s
    return crossing is not None and _is_one_near(score, times(events, rule, "start"), crossing + HOLD_SECONDS)


def is_end_right(score: ClipScore, events: Sequence[Event], rule: str = "close") -> bool:
    """Exactly one end, near where it truly left plus release."""
    leaving = score.clip.leaving_s
    return leaving is not None and _is_one_near(score, times(events, rule, "end"), leaving + RELEASE_SECONDS)


def is_right(score: ClipScore, events: Sequence[Event]) -> bool:
    """One episode, its start and its end in their bands."""
    return is_start_right(score, events) and is_end_right(score, events)


def _is_one_near(score: ClipScore, found: Sequence[float], wanted: float) -> bool:
    assert score.clip.event is not None
    return len(found) == 1 and abs(found[0] - wanted) <= 2 / FPS + BAND_METRES / score.clip.event.speed


def distance_errors(scores: Sequence[ClipScore], field: str = "read", under: float = FAR_METRES) -> np.ndarray:
    """Signed metres, of frames whose mover is truly nearer and was found."""
    found = [(getattr(frame, field), frame.truth) for frame in _near_frames(scores, under)]
    return np.array([read - truth for read, truth in found if read is not None and truth is not None])


def errors_with_misses(scores: Sequence[ClipScore]) -> np.ndarray:
    """Absolute metres over all frames whose mover is truly nearer than 8 m; one that was not found reads as 8 m.

    The comparison with random weights needs it: they find almost nothing, and the few frames that they find are near
    enough to the truth by chance.
    """
    frames = _near_frames(scores, FAR_METRES)
    return np.array([abs((FAR_METRES if f.read is None else f.read) - (f.truth or 0.0)) for f in frames])


def _near_frames(scores: Sequence[ClipScore], under: float) -> list[FrameScore]:
    visits = (score for score in scores if score.clip.event is not None)
    return [frame for score in visits for frame in score.frames if frame.truth is not None and frame.truth < under]


def pose_figures(scores: Sequence[ClipScore]) -> dict[str, float]:
    """Everything that is printed of one pose's clips."""
    approaches = [score for score in scores if score.clip.is_approach]
    near_misses = [score for score in scores if score.clip.event is not None and not score.clip.is_approach]
    empty = [score for score in scores if score.clip.event is None]
    visits = [*approaches, *near_misses]
    movers = np.concatenate([score.mover_errors for score in visits])
    return {
        "approaches": len(approaches),
        "one_start": _number(approaches, lambda s: len(s.times("close", "start")) == 1),
        "one_end": _number(approaches, lambda s: len(s.times("close", "end")) == 1),
        "start_right": _number(approaches, lambda s: is_start_right(s, s.events)),
        "end_right": _number(approaches, lambda s: is_end_right(s, s.events)),
        "right": _number(approaches, lambda s: is_right(s, s.events)),
        "start_delay_median": _delay(approaches, "start"),
        "end_delay_median": _delay(approaches, "end"),
        "near_misses": len(near_misses),
        "false_near": _number(near_misses, lambda s: bool(s.times("close", "start"))),
        "empty_minutes": sum(len(score.frames) / score.clip.fps for score in empty) / 60,
        "empty_starts": sum(len(score.times(rule, "start")) for score in empty for rule in ("close", "critical")),
        "empty_share": float(np.mean([f.num_subjects > 0 for score in empty for f in score.frames] or [0])),
        "missed_share": float(np.mean([f.read is None for f in _near_frames(visits, FAR_METRES)])),
        "error_median": _percentile(distance_errors(visits), 50),
        "error_p90": _percentile(distance_errors(visits), 90),
        "near_error_median": _percentile(distance_errors(visits, under=NEAR_METRES), 50),
        "near_error_p90": _percentile(distance_errors(visits, under=NEAR_METRES), 90),
        "error_bias": _median(distance_errors(visits)),
        "near_error_bias": _median(distance_errors(visits, under=NEAR_METRES)),
        "contact_median": _percentile(distance_errors(visits, "contact"), 50),
        "floor_median": _percentile(distance_errors(visits, "floor"), 50),
        "floor_right": _number(approaches, lambda s: is_right(s, s.floor_events)),
        "pixels_median": _percentile(distance_errors(visits, "pixels"), 50),
        "pixels_missed_share": float(np.mean([f.pixels is None for f in _near_frames(visits, FAR_METRES)])),
        "pixels_p90": _percentile(distance_errors(visits, "pixels"), 90),
        "movers_abs_rel": float(np.nanmedian(np.abs(movers))),
        "movers_bias": float(np.nanmedian(movers)),
        "baseline_abs_rel": float(np.nanmedian(np.abs(np.concatenate([s.baseline_errors for s in visits])))),
    }


def label_figures(scores: Sequence[ClipScore]) -> dict[str, float]:
    """Of the rule that asks for forklifts alone, and of the critical one, which the drive-ins move."""
    approaches = [score for score in scores if score.clip.is_approach]
    by_kind = {kind: [s for s in approaches if s.clip.kind == kind] for kind in ("forklift", "truck", "person")}
    found: dict[str, float] = {}
    for kind, of in by_kind.items():
        found[f"{kind}s"] = len(of)
        found[f"{kind}s_called_forklift"] = _number(of, lambda s: bool(s.times("forklift", "start")))
    found["forklift_one_episode"] = _number(
        by_kind["forklift"],
        lambda s: len(s.times("forklift", "start")) == 1 and len(s.times("forklift", "end")) == 1,
    )
    near_misses = [score for score in scores if score.clip.event is not None and not score.clip.is_approach]
    found["critical_one_start"] = _number(approaches, lambda s: len(s.times("critical", "start")) == 1)
    found["critical_in_time"] = _number(approaches, lambda s: _is_in_time(s, "critical"))
    found["plain_in_time"] = _number(approaches, lambda s: _is_in_time(s, "close"))
    found["critical_false_near"] = _number(near_misses, lambda s: bool(s.times("critical", "start")))
    return found


def _is_in_time(score: ClipScore, rule: str) -> bool:
    """Started no later than a rule would that reads the truth: hold after the first sample beyond the crossing."""
    starts, crossing = score.times(rule, "start"), score.clip.crossing_s
    if not starts or crossing is None:
        return False
    first = next((frame.t for frame in score.frames if frame.t >= crossing), np.inf)
    due = next((frame.t for frame in score.frames if frame.t >= first + HOLD_SECONDS), np.inf)
    return starts[0] <= due + 1e-6


def control_figures(random: Sequence[ClipScore], same: Sequence[ClipScore]) -> dict[str, float]:
    """The chain with random weights and with a head of other poses, and ours on the same clips."""
    figures, ours = pose_figures(random), pose_figures(same)
    approaches = [score for score in same if score.clip.is_approach]
    return {
        "random_right": figures["right"],
        "random_of": figures["approaches"],
        "random_median": figures["error_median"],
        "random_p90": figures["error_p90"],
        "random_found_frames": len(distance_errors(random)),
        "random_missed_share": figures["missed_share"],
        "random_p90_with_misses": _percentile(errors_with_misses(random), 90),
        "random_movers_abs_rel": figures["movers_abs_rel"],
        "same_right": ours["right"],
        "same_median": ours["error_median"],
        "same_p90": ours["error_p90"],
        "same_found_frames": len(distance_errors(same)),
        "same_p90_with_misses": _percentile(errors_with_misses(same), 90),
        "other_head_right": _number(approaches, lambda s: is_right(s, s.other_events)),
        "other_head_median": _percentile(distance_errors(same, "other"), 50),
        "other_head_p90": _percentile(distance_errors(same, "other"), 90),
    }


def _number(scores: Sequence[ClipScore], is_so: Callable[[ClipScore], bool]) -> int:
    return sum(is_so(score) for score in scores)


def _delay(approaches: Sequence[ClipScore], kind: str) -> float:
    """Median seconds after the true passage plus hold or release."""
    late: list[float] = []
    for score in approaches:
        found = score.times("close", kind)
        true = score.clip.crossing_s if kind == "start" else score.clip.leaving_s
        if found and true is not None:
            late.append(found[0] - true - (HOLD_SECONDS if kind == "start" else RELEASE_SECONDS))
    return float(np.median(late)) if late else float("nan")


def _median(errors: np.ndarray) -> float:
    return float(np.median(errors)) if errors.size else float("nan")


def _percentile(errors: np.ndarray, share: float) -> float:
    """Of absolute values; infinite where nothing was found at all, as random weights may."""
    return float(np.percentile(np.abs(errors), share)) if errors.size else float("inf")

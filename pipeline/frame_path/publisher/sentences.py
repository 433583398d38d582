"""What an alert says to people, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from operators.results import Subject
from operators.rules.config import RuleConfig
from operators.rules.episodes import Transition
from operators.rules.measures import MeasureSpec
from operators.units import Threshold
from pipeline.frame_path.publisher.wire_schema import AlertBody


def start_sentence(
    camera: str,
    rule: RuleConfig,
    measure: MeasureSpec,
    transition: Transition,
    subject: Subject | None,
    *,
    margin: float = 0.0,
) -> str:
    """Such as `dock-sim: forklift 2.9 m from the dock (limit 3.0), held 0.6 s`; with a margin it reads `(limit 3.0,
    fires at 3.7)`.
    """
    held = (transition.rule_time_ns - transition.began_ns) / 1e9
    limit = f" (limit {_limit(rule, measure, margin)})" if isinstance(rule.enter, Threshold) else ""
    return f"{camera}: {_what(rule, measure, transition, subject)}{limit}, held {held:.1f} s"


def end_sentence(opened: AlertBody, *, duration_seconds: float, extreme: float | None, reason: str) -> str:
    """Such as `dock-sim: forklift_too_close over after 4.2 s, nearest 1.8 m`."""
    word = "nearest" if opened.unit == "m" and opened.enter.startswith("<") else "peak"
    furthest = "" if extreme is None else f", {word} {_amount(extreme, opened.unit)}"
    why = f" ({reason})" if reason else ""
    return f"{opened.camera}: {opened.rule} over after {duration_seconds:.1f} s{furthest}{why}"


def nearest_subject(subjects: Sequence[Subject], measure: MeasureSpec, value: float | None) -> Subject | None:
    """The subject whose distance to the measure's line is the value that was read."""
    if measure.name != "distance_to" or value is None:
        return None
    gaps = [
        (abs(each.metres - value), index)
        for index, subject in enumerate(subjects)
        for each in subject.distances
        if each.line == measure.args[0]
    ]
    return subjects[min(gaps)[1]] if gaps else None


def _what(rule: RuleConfig, measure: MeasureSpec, transition: Transition, subject: Subject | None) -> str:
    if transition.value is None:
        return f"{rule.measure} not known ({transition.reason or 'no value'})"
    amount = _amount(transition.value, measure.unit)
    match measure.name:
        case "distance_to":
            return f"{_who(rule, subject)} {amount} from the {measure.args[0]}"
        case "count_in":
            return f"{transition.value:.0f} {_who(rule, None)} in the {measure.args[0]}"
        case "camera_depth":
            return f"{measure.args[0]} {amount} from the camera"
        case "score":
            return f"{measure.args[1]} score {amount}"
        case _:
            return f"{rule.measure} {amount}"


def _who(rule: RuleConfig, subject: Subject | None) -> str:
    """The subject's own label, else what the rule looks for."""
    labels = subject.labels if subject is not None else ()
    heads = [label for label in labels if rule.of is None or label.head == rule.of.head]
    named = next((label.name for label in heads if label.name not in {"unknown", "empty"}), None)
    return named or (" or ".join(rule.of.is_) if rule.of is not None else "something")


def _amount(value: float, unit: str) -> str:
    return f"{value:.1f} m" if unit == "m" else f"{value:.2f}".rstrip("0").rstrip(".")


def _limit(rule: RuleConfig, measure: MeasureSpec, margin: float) -> str:
    assert isinstance(rule.enter, Threshold)
    if margin:
        return f"{rule.enter.value:.1f}, fires at {round(rule.enter.value + margin, 2):g}"
    return f"{rule.enter.value:.1f}" if measure.unit == "m" else f"{rule.enter.comparator} {rule.enter.value:g}"

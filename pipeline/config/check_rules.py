"""Checks of one rule against its camera."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from operators.heads.config import Gives, HeadConfig, kinds_giving
from operators.rules.config import FalseAlarms, RuleConfig
from operators.rules.margins import takes_margin
from operators.rules.measures import MeasureSpec, parse_measure
from operators.spelling import did_you_mean
from operators.units import Threshold
from pipeline.config.problems import Place
from pipeline.config.schema import CameraConfig

Findings = Iterator[tuple[Place, str]]

_WANTED: dict[str, tuple[Gives, str]] = {
    "score": ("class_scores", "class scores"),
    "similarity": ("similarity", "similarity"),
    "share_of": ("class_shares", "shares of classes"),
}
"""By measure: what its head must give."""


def check_rule(
    place: Place,
    rule: RuleConfig,
    camera: CameraConfig,
    heads: Mapping[str, HeadConfig],
    relative: Collection[str] = (),
) -> Findings:
    """The measure exists and can be read at this camera; thresholds have its unit and lie apart.

    Args:
        place: of the rule.
        rule: itself.
        camera: whose it is.
        heads: `heads:` of the configuration.
        relative: those of them that give inverse depth alone.
    """
    yield from _check_filters(place, rule, camera, heads)
    yield from _check_thresholds(place, rule)
    try:
        spec = parse_measure(rule.measure)
    except ValueError as error:
        yield (*place, "measure"), str(error)
        return
    yield from _check_needs((*place, "measure"), spec, camera, heads)
    if rule.margin != "auto" and not takes_margin(rule):
        yield (
            (*place, "margin"),
            (
                "a margin is added to a rule that starts below a distance: expected distance_to(LINE) with an enter "
                f'such as "< 3.0 m", got {rule.measure} with {str(rule.enter)!r}. Leave it out'
            ),
        )
    if not spec.needs.subjects and (rule.in_ or rule.of):
        which = "in" if rule.in_ else "of"
        yield (*place, which), f"`{which}` chooses among subjects, but {spec.name} looks at the whole: leave it out"
    if spec.needs.depth:
        yield from _check_metres(place, rule, camera, heads, relative)
    for name, threshold in (("enter", rule.enter), ("exit", rule.exit)):
        if isinstance(threshold, Threshold) and threshold.unit != spec.unit:
            wanted = f"{threshold.comparator} {threshold.value:g} {spec.unit}".rstrip()
            what = "is in metres" if spec.unit else "has no unit"
            yield (*place, name), f"{spec.name} {what}: expected {wanted!r}, got {str(threshold)!r}"


def _check_filters(place: Place, rule: RuleConfig, camera: CameraConfig, heads: Mapping[str, HeadConfig]) -> Findings:
    if rule.in_ is not None:
        yield from _known((*place, "in"), "zone", rule.in_, camera.zones)
    if rule.of is None:
        return
    labelling = _giving("subject_labels", camera, heads)
    if rule.of.head not in camera.heads:
        yield from _known((*place, "of", "head"), "head", rule.of.head, camera.heads)
    elif rule.of.head not in labelling:
        said = _expected("subject_labels", labelling)
        yield (*place, "of", "head"), f"head {rule.of.head} gives subjects no labels: {said}"


def _giving(what: Gives, camera: CameraConfig, heads: Mapping[str, HeadConfig]) -> list[str]:
    """The camera's heads that give it."""
    return [name for name in camera.heads if name in heads and what in heads[name].gives]


def _expected(what: Gives, giving: Sequence[str]) -> str:
    return f"expected a head of kind {' or '.join(kinds_giving(what))} (here: {', '.join(giving) or 'none'})"


def _check_needs(place: Place, spec: MeasureSpec, camera: CameraConfig, heads: Mapping[str, HeadConfig]) -> Findings:
    for line in spec.needs.lines:
        yield from _known(place, "line", line, camera.lines)
    for zone in spec.needs.zones:
        yield from _known(place, "zone", zone, camera.zones)
    for head in spec.needs.heads:
        if head not in camera.heads:
            yield from _known(place, "head", head, camera.heads)
        elif spec.name in _WANTED:
            what, said = _WANTED[spec.name]
            giving = _giving(what, camera, heads)
            if head not in giving:
                yield place, f"head {head} gives no {said}: {_expected(what, giving)}"


def _check_metres(
    place: Place, rule: RuleConfig, camera: CameraConfig, heads: Mapping[str, HeadConfig], relative: Collection[str]
) -> Findings:
    giving = _giving("metres", camera, heads)
    if giving and set(giving) <= set(relative):
        yield (
            (*place, "measure"),
            (
                f"{rule.measure} needs metres, and head {giving[0]} gives inverse depth of unknown scale: expected a "
                "metric model, such as backbone depth_anything_v2_small_metric_outdoor, or another depth head"
            ),
        )
    elif not giving:
        given = ", ".join(camera.heads) or "none"
        yield (
            (*place, "measure"),
            (
                f"{rule.measure} needs metres, which none of this camera's heads gives ({given}): "
                "expected one of kind depth in `heads`"
            ),
        )
    if camera.view is None and ("uncalibrated" not in rule.accept or rule.measure.startswith("distance_to")):
        yield (
            (*place, "measure"),
            f"{rule.measure} needs the camera's `view: {{hfov, height, pitch}}` to be metres of this camera, got none",
        )


def _known(place: Place, what: str, name: str, known: Iterable[str]) -> Findings:
    names = list(known)
    if name not in names:
        said = ", ".join(names) or "none"
        yield (
            place,
            f"unknown {what} {name!r}: expected one of this camera's {what}s ({said}){did_you_mean(name, names)}",
        )


def _check_thresholds(place: Place, rule: RuleConfig) -> Findings:
    enter, leave = rule.enter, rule.exit
    if isinstance(enter, FalseAlarms):
        if parse_measure(rule.measure).name != "similarity":
            expected = 'expected a comparison such as "< 3.0 m"'
            yield (*place, "enter"), f"thresholds are learnt for similarity(HEAD) alone, not {rule.measure}: {expected}"
        if rule.exit is not None and not rule.exit.points_down:
            yield (*place, "exit"), f"expected the other direction than a learnt enter (>), got {str(rule.exit)!r}"
        return
    if leave is None:
        example = f"{'>' if enter.points_down else '<'} {enter.value:g} {enter.unit}".rstrip()
        yield place, f'expected an `exit` beyond `enter` ({enter}), such as "{example}", got none'
        return
    if enter.points_down == leave.points_down:
        yield (*place, "exit"), f"expected the other direction than enter ({enter}), got {str(leave)!r}"
        return
    gap = leave.value - enter.value if enter.points_down else enter.value - leave.value
    is_shared = gap == 0 and "=" in enter.comparator and "=" in leave.comparator
    if gap < 0 or is_shared:
        yield (
            (*place, "exit"),
            f"the exit must lie beyond the enter ({enter}): got {str(leave)!r}, so a value could satisfy both",
        )

"""Whether a replay says what was published then."""

from __future__ import annotations

from collections.abc import Iterator

from operators.rules.episodes import Transition
from pipeline.cli.replay.recorded import RecordedAlert
from pipeline.cli.replay.rerun import Difference, Rerun
from pipeline.frame_path.publisher.rule_changes import ENDED_BY_CONFIGURATION


def differences(rerun: Rerun, *, has_alerts: bool) -> list[Difference]:
    """Of the phases in the results, and of the alerts where there are any; in order of time."""
    found = list(rerun.differences)
    if has_alerts:
        found.extend(_of_alerts(rerun))
    return sorted(found, key=lambda each: (each.time_ns, each.rule))


def as_recorded(rerun: Rerun) -> list[RecordedAlert]:
    """Alerts that no result is there for, since results are missing around them, or a new configuration ended them."""
    return [each for each in _recorded(rerun) if _is_taken(rerun, each)]


def _of_alerts(rerun: Rerun) -> Iterator[Difference]:
    replayed = {_id(rerun.camera, each): each for each in rerun.transitions}
    for alert_id, transition in replayed.items():
        alert = rerun.alerts.by_id.get(alert_id)
        if alert is None:
            yield _difference(transition, "alert", "none", "fired")
        else:
            yield from _fields(transition, alert)
    for alert in _recorded(rerun):
        if alert.id not in replayed and not _is_taken(rerun, alert):
            yield Difference(
                alert.rule_time_ns, alert.rule, f"{alert.transition} {alert.episode}", "fired", "did not fire"
            )


def _fields(transition: Transition, alert: RecordedAlert) -> Iterator[Difference]:
    pairs: list[tuple[str, object, object]] = [
        ("rule time", alert.rule_time_ns, transition.rule_time_ns),
        ("began", alert.began_ns, transition.began_ns),
        ("value", alert.value, transition.value),
    ]
    if alert.transition == "start":  # an end tells nobody, too, if someone muted it meanwhile
        pairs.append(("notify", alert.notify, transition.notify))
    for name, recorded, replayed in pairs:
        if recorded != replayed:
            yield _difference(transition, name, str(recorded), str(replayed))


def _difference(transition: Transition, what: str, recorded: str, replayed: str) -> Difference:
    named = f"{transition.kind} {transition.episode}: {what}"
    return Difference(transition.rule_time_ns, transition.rule, named, recorded, replayed)


def _recorded(rerun: Rerun) -> Iterator[RecordedAlert]:
    """Those that fall into the results and are of a rule that was replayed."""
    first_ns = rerun.first_ns
    for alert in rerun.alerts.by_id.values():
        if first_ns is None or alert.rule not in rerun.as_recorded or alert.rule_time_ns > rerun.last_ns:
            continue
        if alert.rule_time_ns > first_ns or (rerun.starts_at_one and alert.rule_time_ns == first_ns):
            yield alert


def _is_taken(rerun: Rerun, alert: RecordedAlert) -> bool:
    if alert.reason in ENDED_BY_CONFIGURATION:
        return True
    return any(before < alert.rule_time_ns <= after for before, after in rerun.holes)


def _id(camera: str, transition: Transition) -> str:
    return f"{camera}/{transition.rule}/{transition.episode}/{transition.kind}"

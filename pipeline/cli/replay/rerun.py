"""One camera's recorded results through its rules again, beside what was published then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from operators.rules.config import RuleConfig
from operators.rules.episodes import RuleState, Transition, step
from operators.units import Threshold
from pipeline.cli.replay.curve import Curve
from pipeline.cli.replay.recorded import Alerts, Recorded, reading_of, rule_of
from pipeline.cli.replay.what_if import Change, changed, margin_of
from pipeline.frame_path.publisher.rule_changes import ENDED_BY_CONFIGURATION
from pipeline.frame_path.publisher.wire_result import WireRule


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that came out otherwise than it was published."""

    time_ns: int
    rule: str
    what: str
    recorded: str
    replayed: str


@dataclass(slots=True)
class Span:
    """An episode; None: it was on before the first result, or is on after the last."""

    start_ns: int | None
    end_ns: int | None = None


@dataclass(slots=True)
class Course:
    """One rule's way over the results."""

    state: RuleState
    spans: list[Span] = field(default_factory=list[Span])

    def note(self, time_ns: int, *, is_first: bool) -> None:
        """After each result."""
        is_on = bool(self.spans) and self.spans[-1].end_ns is None
        if self.state.is_alerting and not is_on:
            self.spans.append(Span(None if is_first else time_ns))
        elif is_on and not self.state.is_alerting:
            self.spans[-1].end_ns = time_ns


@dataclass(slots=True)
class Rerun:
    """Of one camera. Feed `see` in the order of publication."""

    camera: str
    alerts: Alerts
    rules: Mapping[str, RuleConfig] | None = None
    """Of a configuration; None: those that the results name."""
    changes: Sequence[Change] = ()
    num_results: int = 0
    num_repeated: int = 0
    num_missing: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """(rule time before, rule time after) of results that are missing in between."""
    first_ns: int | None = None
    last_ns: int = 0
    starts_at_one: bool = False
    has_unnumbered: bool = False
    """Results of a version that did not count them, nor say all that decides."""
    transitions: list[Transition] = field(default_factory=list[Transition])
    differences: list[Difference] = field(default_factory=list[Difference])
    """Of phases, one a rule at a time: the first of a run of differing results."""
    as_recorded: dict[str, Course] = field(default_factory=dict[str, Course])
    what_if: dict[str, Course] = field(default_factory=dict[str, Course])
    curves: dict[str, Curve] = field(default_factory=dict[str, Curve])
    other_measures: dict[str, str] = field(default_factory=dict[str, str])
    """Rules that watched something else then."""
    wires: dict[str, WireRule] = field(default_factory=dict[str, WireRule])
    """The newest of each rule."""
    _number: int = 0
    _seen: set[str] = field(default_factory=set[str])
    """Ids, of results that have no number."""
    _known: set[str] = field(default_factory=set[str])
    """Rules whose state before the next result is known."""
    _differing: set[str] = field(default_factory=set[str])

    def see(self, record: Recorded) -> None:
        """One result.

        Raises:
            ValueError: a change does not fit its rule.
        """
        if self._is_repeated(record):
            self.num_repeated += 1
            return
        if self.first_ns is None:
            self.first_ns, self.starts_at_one = record.time_ns, record.number == 1
        elif record.number > self._number + 1 and self._number:
            self.num_missing += record.number - self._number - 1
            self.holes.append((self.last_ns, record.time_ns))
            self._known.clear()
        self._number, self.last_ns = record.number, record.time_ns
        self.num_results += 1
        for name in record.rules:
            if self._was_ended(name, record.time_ns):
                self._remove(name, record.time_ns)
        for name, wire in record.rules.items():
            if self._is_same_measure(name, wire):
                self._step(name, wire, record)
        for name in set(self.as_recorded) - set(record.rules):
            self._remove(name, record.time_ns)

    def _is_repeated(self, record: Recorded) -> bool:
        if record.number:
            return record.number <= self._number
        self.has_unnumbered = True
        if record.id in self._seen:
            return True
        self._seen.add(record.id)
        return False

    def _is_same_measure(self, name: str, wire: WireRule) -> bool:
        self.wires[name] = wire
        if self.rules is None:
            return True
        rule = self.rules.get(name)
        if rule is None or rule.measure == wire.measure:
            return rule is not None
        self.other_measures[name] = wire.measure
        return False

    def _step(self, name: str, wire: WireRule, record: Recorded) -> None:
        rule = self._rule(name, wire)
        course = self.as_recorded.setdefault(name, Course(RuleState()))
        is_seed = name not in self._known and not (self.starts_at_one and not self.holes)
        if is_seed:
            course.state = self._seed(name, wire, record.time_ns)
        else:
            course.state, found = _advance(name, rule, course.state, wire, record)
            self.transitions.extend(found)
            self._compare(name, wire, course.state, record.time_ns)
        self._known.add(name)
        course.note(record.time_ns, is_first=is_seed and self.num_results == 1)
        other = self._step_what_if(name, rule, wire, record, course.state if is_seed else RuleState())
        self.curves.setdefault(name, Curve(wire.measure, wire.unit)).add(record.time_ns, wire, rule, other)

    def _step_what_if(
        self, name: str, rule: RuleConfig, wire: WireRule, record: Recorded, seed: RuleState
    ) -> RuleConfig | None:
        """The changed rule; it starts from what was recorded and then goes its own way, over holes too."""
        changes = [each for each in self.changes if each.rule == name]
        if not changes:
            return None
        other = changed(rule, wire, changes)
        run = self.what_if.get(name)
        if run is None:
            run = self.what_if[name] = Course(seed)
            run.note(record.time_ns, is_first=True)
        run.state, _ = _advance(name, other, run.state, wire, record)
        run.note(record.time_ns, is_first=False)
        return other

    def _rule(self, name: str, wire: WireRule) -> RuleConfig:
        """As recorded, or as configured: then with the recorded margin, and with recorded thresholds where learnt."""
        recorded = rule_of(wire)
        if self.rules is None:
            return recorded
        rule = self.rules[name]
        if not isinstance(rule.enter, Threshold):
            return rule.model_copy(update={"enter": recorded.enter, "exit": recorded.exit})
        margin = margin_of(wire)
        moved = {
            key: Threshold(value.comparator, round(value.value + margin, 6), value.unit)
            for key, value in (("enter", rule.enter), ("exit", rule.exit))
            if margin and isinstance(value, Threshold)
        }
        return rule.model_copy(update=moved)

    def _seed(self, name: str, wire: WireRule, time_ns: int) -> RuleState:
        """What the rule remembered after a result before which others are missing."""
        told = self.alerts.notified_before(name, wire.episode)
        start = self.alerts.by_id.get(f"{self.camera}/{name}/{wire.episode}/start")
        is_running = wire.phase in {"pending", "releasing"}
        began_ns = start.began_ns if start is not None and wire.phase in {"active", "releasing"} else wire.since_ns
        return RuleState(
            phase=wire.phase,
            since_ns=wire.since_ns,
            time_ns=time_ns,
            sample_ns=time_ns,
            samples=int(is_running),
            episode=wire.episode,
            began_ns=began_ns,
            notified_ns=told.rule_time_ns if told is not None else None,
            is_notified=start is not None and start.notify,
        )

    def _compare(self, name: str, wire: WireRule, state: RuleState, time_ns: int) -> None:
        if (state.phase, state.since_ns, state.episode) == (wire.phase, wire.since_ns, wire.episode):
            self._differing.discard(name)
            return
        if name not in self._differing:
            what = "phase" if state.phase != wire.phase else "episode" if state.episode != wire.episode else "since"
            told = {"phase": (wire.phase, state.phase), "episode": (str(wire.episode), str(state.episode))}
            recorded, replayed = told.get(what, (str(wire.since_ns), str(state.since_ns)))
            self.differences.append(Difference(time_ns, name, what, recorded, replayed))
        self._differing.add(name)

    def _was_ended(self, name: str, time_ns: int) -> bool:
        """Another configuration has ended the episode that is on, before this result."""
        course = self.as_recorded.get(name)
        if course is None or not course.state.is_alerting:
            return False
        end = self.alerts.by_id.get(f"{self.camera}/{name}/{course.state.episode}/end")
        return end is not None and end.reason in ENDED_BY_CONFIGURATION and end.rule_time_ns < time_ns

    def _remove(self, name: str, time_ns: int) -> None:
        """Another configuration was applied then; what was on ended. If the rule comes back, it counts on."""
        for courses in (self.as_recorded, self.what_if):
            course = courses.get(name)
            if course is not None and course.state.is_engaged:
                course.state = replace(course.state, phase="idle", samples=0)
                course.note(time_ns, is_first=False)


def _advance(
    name: str, rule: RuleConfig, state: RuleState, wire: WireRule, record: Recorded
) -> tuple[RuleState, tuple[Transition, ...]]:
    return step(
        name,
        rule,
        state,
        reading_of(record, wire),
        record.time_ns,
        is_armed=wire.is_armed,
        is_muted=wire.is_muted,
        period_ns=record.period_ns,
    )

"""What a person asks of one camera, and what comes of it: mute, acknowledge, arm. Events and state in one draft."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from operators.rules.schedule import is_in_schedule, next_change
from operators.spelling import did_you_mean
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.action_request import MAX_SECONDS, Acted, ActionRequest
from pipeline.frame_path.publisher.alerts import active_message
from pipeline.frame_path.publisher.draft import Draft, Letterhead
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.frame_path.publisher.stored_actions import WHOLE_CAMERA, Mute, Override
from pipeline.frame_path.publisher.stored_camera import StoredCamera
from pipeline.frame_path.publisher.wire import encode_event
from pipeline.frame_path.publisher.wire_actions import Acknowledged, Action, ActionBody
from pipeline.frame_path.publisher.wire_schema import AlertBody


class CameraActions:
    """One camera's actions over its stored state, which it changes in place. Within a transaction, like the book."""

    def __init__(self, published: PublishedCamera, stored: StoredCamera, letterhead: Letterhead) -> None:
        self._spec = published.spec
        self._is_replayable = published.is_replayable
        self._stored = stored
        self._letterhead = letterhead

    # --- asked by people ---------------------------------------------------------------------------------------------

    def check(self, request: ActionRequest) -> None:
        """Whether it can be done now; changes nothing.

        Raises:
            PublishError: code `unknown`, `usage` or `conflict`: whoever asks can mend it.
        """
        rules = self._spec.rules
        if request.rule is not None and request.rule not in rules:
            known = ", ".join(rules) or "none"
            hint = did_you_mean(request.rule, list(rules))
            msg = f"unknown rule {request.rule!r} of {self._spec.camera}: expected one of {known}{hint}"
            raise PublishError(msg, code="unknown")
        if not request.by.strip():
            raise PublishError("by: expected the name of a person, got nothing", code="usage")
        if request.for_seconds is not None and not 0 < request.for_seconds <= MAX_SECONDS:
            msg = f"for: expected up to {MAX_SECONDS / 86400:.0f} days, got {request.for_seconds:g} s"
            raise PublishError(msg, code="usage")
        match request.action:
            case "ack":
                self._check_ack(request)
            case "unmute":
                self._check_unmute(request)
            case "arm" | "disarm" if not rules:
                raise PublishError(f"{self._spec.camera} has no rule to {request.action}", code="conflict")
            case _:
                pass

    def carry_out(self, request: ActionRequest, draft: Draft) -> Acted:
        """Does what `check` let through."""
        match request.action:
            case "mute":
                bodies = [self._mute(request, draft)]
            case "unmute":
                bodies = self._unmute(request, draft)
            case "ack":
                bodies = [self._acknowledge(request, draft)]
            case "arm" | "disarm":
                names = [request.rule] if request.rule is not None else list(self._spec.rules)
                bodies = [self._override(name, request, draft) for name in names]
        ends = [each.until_ns for each in bodies if each.until_ns is not None]
        return Acted(
            camera=self._spec.camera,
            events=[each.id for each in bodies],
            texts=[each.text for each in bodies],
            until_ns=min(ends, default=None),
        )

    def _check_ack(self, request: ActionRequest) -> None:
        found = self._opened(request.alert)
        if found is None:
            active = ", ".join(each.id for each in self._all_opened()) or "nothing"
            msg = f"{request.alert} is not active: it has ended, or never was. Active on {self._spec.camera}: {active}"
            raise PublishError(msg, code="conflict")
        if found.acknowledged is not None:
            when = self._clock_time(found.acknowledged.at_ns)
            msg = f"{found.id} was acknowledged already, by {found.acknowledged.by} at {when}"
            raise PublishError(msg, code="conflict")

    def _check_unmute(self, request: ActionRequest) -> None:
        mutes, camera = self._stored.actions.mutes, self._spec.camera
        if request.rule is not None and request.rule not in mutes and WHOLE_CAMERA in mutes:
            msg = f"{camera} is muted as a whole: expected `unmute {camera}` without a rule"
            raise PublishError(msg, code="conflict")
        if (request.rule is None and not mutes) or (request.rule is not None and request.rule not in mutes):
            raise PublishError(f"{_scope(camera, request.rule)} is not muted", code="conflict")

    def _mute(self, request: ActionRequest, draft: Draft) -> ActionBody:
        until_ns = _end(draft.published_ns, request.for_seconds)
        mute = Mute(by=request.by, at_ns=draft.published_ns, reason=request.reason, until_ns=until_ns)
        self._stored.actions.mutes[request.rule or WHOLE_CAMERA] = mute
        end = "someone unmutes it" if until_ns is None else self._clock_time(until_ns)
        text = f"{_scope(self._spec.camera, request.rule)}: muted by {request.by} until {end}"
        body = self._tell("mute", request.rule, text, mute, draft, until_ns=until_ns)
        self._restate(draft)
        return body

    def _unmute(self, request: ActionRequest, draft: Draft) -> list[ActionBody]:
        scopes = [request.rule] if request.rule is not None else list(self._stored.actions.mutes)
        bodies: list[ActionBody] = []
        for scope in scopes:
            del self._stored.actions.mutes[scope]
            rule = scope or None
            text = f"{_scope(self._spec.camera, rule)}: unmuted by {request.by}"
            bodies.append(self._tell("unmute", rule, text, request, draft))
        self._restate(draft)
        return bodies

    def _acknowledge(self, request: ActionRequest, draft: Draft) -> ActionBody:
        opened = self._opened(request.alert)
        assert opened is not None, "checked before"
        seen = Acknowledged(by=request.by, at_ns=draft.published_ns, reason=request.reason)
        text = f"{opened.camera}: {opened.rule} acknowledged by {request.by}"
        body = self._tell("ack", opened.rule, text, request, draft, alert=opened.id)
        self._replace(msgspec.structs.replace(opened, acknowledged=seen), draft)
        return body

    def _override(self, name: str, request: ActionRequest, draft: Draft) -> ActionBody:
        is_armed, hours = request.action == "arm", self._spec.rules[name].armed
        until_ns = _end(draft.published_ns, request.for_seconds)
        until_rule_ns = None
        if until_ns is None:
            until_rule_ns = next_change(hours, self._letterhead.timezone, self._rule_time_ns(draft))
        override = Override(
            is_armed=is_armed,
            by=request.by,
            at_ns=draft.published_ns,
            reason=request.reason,
            until_ns=until_ns,
            until_rule_ns=until_rule_ns,
        )
        if is_armed and hours is None:  # nothing else would disarm it
            self._stored.actions.overrides.pop(name, None)
            until_ns = None
        else:
            self._stored.actions.overrides[name] = override
        end = self._until(until_ns, until_rule_ns)
        text = f"{_scope(self._spec.camera, name)}: {request.action}ed by {request.by}{end}"
        return self._tell(request.action, name, text, request, draft, until_ns=until_ns or until_rule_ns)

    # --- by time -----------------------------------------------------------------------------------------------------

    def is_due(self, wall_ns: int) -> bool:
        """Whether something runs out by the wall clock, without any frame."""
        actions = self._stored.actions
        return bool(actions.ended_mutes(wall_ns) or actions.ended_overrides(wall_ns, self._stored.rule_time_ns))

    def expire(self, rule_time_ns: int, draft: Draft) -> None:
        """Ends what has run out, each with its event."""
        actions, camera = self._stored.actions, self._spec.camera
        ended = actions.ended_mutes(draft.published_ns)
        for scope in ended:
            mute = actions.mutes.pop(scope)
            text = f"{_scope(camera, scope or None)}: no longer muted, the time that {mute.by} gave is over"
            self._tell("unmute", scope or None, text, mute, draft, is_expiry=True)
        if ended:
            self._restate(draft)
        for name in actions.ended_overrides(draft.published_ns, rule_time_ns):
            override = actions.overrides.pop(name)
            if name not in self._spec.rules:
                continue
            is_armed = is_in_schedule(self._spec.rules[name].armed, self._letterhead.timezone, rule_time_ns)
            what: Action = "arm" if is_armed else "disarm"
            text = f"{_scope(camera, name)}: {what}ed by its hours, what {override.by} set is over"
            self._tell(what, name, text, override, draft, is_expiry=True)

    # --- steps -------------------------------------------------------------------------------------------------------

    def _rule_time_ns(self, draft: Draft) -> int:
        """Now, by the clock that the rules of this camera look at."""
        seen_ns = self._stored.rule_time_ns
        return seen_ns if self._is_replayable else max(seen_ns, draft.published_ns)

    def _tell(
        self,
        action: Action,
        rule: str | None,
        text: str,
        said: ActionRequest | Mute | Override,
        draft: Draft,
        *,
        alert: str | None = None,
        until_ns: int | None = None,
        is_expiry: bool = False,
    ) -> ActionBody:
        self._stored.actions.count += 1
        body = ActionBody(
            id=f"{self._spec.camera}/action/{self._stored.actions.count}/{action}",
            camera=self._spec.camera,
            labels=self._spec.labels,
            action=action,
            rule=rule,
            alert=alert,
            text=text + (f" ({said.reason})" if said.reason else ""),
            by=said.by,
            cause="expiry" if is_expiry else "person",
            reason=said.reason,
            until_ns=until_ns,
            published_ns=draft.published_ns,
        )
        draft.messages.append(
            encode_event(
                body,
                event_id=body.id,
                kind="alert",
                event=f"alert.{action}",
                camera=self._spec.camera,
                site=self._letterhead.site,
                time_ns=draft.published_ns,
            )
        )
        return body

    def _restate(self, draft: Draft) -> None:
        """What is active now says whether it is muted now."""
        for opened in self._all_opened():
            is_muted = self._stored.actions.is_muted(opened.rule)
            if opened.muted != is_muted:
                self._replace(msgspec.structs.replace(opened, muted=is_muted), draft)

    def _replace(self, opened: AlertBody, draft: Draft) -> None:
        self._stored.rules[opened.rule].opened = opened
        change = f"action-{self._stored.actions.count}"
        draft.messages.append(active_message(opened, change, self._letterhead.site, draft.published_ns))

    def _all_opened(self) -> list[AlertBody]:
        return [memory.opened for memory in self._stored.rules.values() if memory.opened is not None]

    def _opened(self, alert: str | None) -> AlertBody | None:
        wanted = {alert, f"{alert}/start"}
        return next((each for each in self._all_opened() if each.id in wanted), None)

    def _until(self, until_ns: int | None, until_rule_ns: int | None) -> str:
        if until_ns is not None:
            return f" until {self._clock_time(until_ns)}"
        if until_rule_ns is None:
            return ""
        return f" until its hours change at {self._clock_time(until_rule_ns)}"

    def _clock_time(self, wall_ns: int) -> str:
        """Of the site, such as `Mon 30 Nov 15:04`."""
        instant = datetime.fromtimestamp(wall_ns // 1_000_000_000, tz=UTC)
        return f"{instant.astimezone(ZoneInfo(self._letterhead.timezone)):%a %d %b %H:%M}"


def _end(now_ns: int, seconds: float | None) -> int | None:
    return None if seconds is None else now_ns + round(seconds * 1e9)


def _scope(camera: str, rule: str | None) -> str:
    return camera if rule is None else f"{camera}/{rule}"

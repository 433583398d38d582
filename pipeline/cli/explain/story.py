"""Everything that was published about one episode, put together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pipeline.frame_path.publisher.wire_version import event_of

Body = dict[str, Any]

_ID = re.compile(
    r"^(?P<camera>[a-z0-9][a-z0-9_-]*)/(?P<rule>[A-Za-z0-9][A-Za-z0-9_-]*)/(?P<episode>\d+)(/(start|end))?$"
)
BEFORE_NS = 10_000_000_000
AFTER_NS = 5_000_000_000
LONGEST_NS = 120_000_000_000
"""Of an episode that lasted longer, its beginning is shown."""


class Episode(NamedTuple):
    """What an alert's id names."""

    camera: str
    rule: str
    episode: int

    @property
    def id(self) -> str:
        return f"{self.camera}/{self.rule}/{self.episode}"


def parse_id(text: str) -> Episode:
    """Of `dock-03/too_close/17`, with or without `/start` or `/end`.

    Raises:
        ValueError: it is none.
    """
    found = _ID.match(text)
    if found is None:
        msg = f"expected the id of an alert, such as dock-03/too_close/17/start, got {text!r}"
        raise ValueError(msg)
    return Episode(found["camera"], found["rule"], int(found["episode"]))


@dataclass(slots=True)
class Story:
    """One episode. Bodies are as on the wire."""

    episode: Episode
    start: Body | None = None
    end: Body | None = None
    evidence: list[Body] = field(default_factory=list[Body])
    actions: list[Body] = field(default_factory=list[Body])
    """Of people, on this camera, while it was on or shortly before; oldest first."""
    results: list[Body] = field(default_factory=list[Body])
    """Of the camera around it, in order, without repetition."""

    @property
    def known(self) -> Body | None:
        """The start, or what the end repeats of it."""
        return self.start or self.end

    @property
    def deciding(self) -> Body | None:
        """The result of the frame that decided the start."""
        frame = self.start["frame"] if self.start else None
        return next((each for each in self.results if f"{frame}/result" == each["id"]), None)


def tell(episode: Episode, alerts: Iterable[bytes]) -> Story:
    """The story without results, from everything in the camera's alerts.

    Raises:
        ValueError: one is of another major version.
    """
    story, actions = Story(episode), list[Body]()
    for line in alerts:
        event = msgspec.json.decode(line)
        body: Body = event["data"]
        match event_of(event["type"]):
            case "alert.start" if body["id"] == f"{episode.id}/start":
                story.start = body
            case "alert.end" if body["id"] == f"{episode.id}/end":
                story.end = body
            case "alert.evidence" if body["alert"].startswith(f"{episode.id}/"):
                _keep(story.evidence, body)
            case "alert.mute" | "alert.unmute" | "alert.ack" | "alert.arm" | "alert.disarm":
                _keep(actions, body)
            case _:
                pass
    story.actions = _concerning(actions, story)
    return story


def span(story: Story) -> tuple[int, int]:
    """(from, to) by the wall clock at which results around the episode were published."""
    known = story.known
    assert known is not None
    held_ns = max(0, known["rule_time_ns"] - known["began_ns"]) if story.start else 0
    first_ns = known["published_ns"] - held_ns - BEFORE_NS
    last_ns = story.end["published_ns"] if story.end else known["published_ns"]
    return first_ns, min(last_ns, first_ns + LONGEST_NS) + AFTER_NS


def results_within(lines: Iterable[bytes], first_ns: int, last_ns: int) -> list[Body]:
    """Bodies of results published within, in order, each once; stops reading after the first later one.

    Raises:
        ValueError: one is of another major version.
    """
    kept: dict[str, Body] = {}
    for line in lines:
        event = msgspec.json.decode(line)
        event_of(event["type"])
        body: Body = event["data"]
        published_ns = body["times"]["published_ns"]
        if published_ns > last_ns:
            break
        if published_ns >= first_ns:
            kept.setdefault(body["id"], body)
    return list(kept.values())


def _keep(bodies: list[Body], body: Body) -> None:
    if all(each["id"] != body["id"] for each in bodies):
        bodies.append(body)


def _concerning(actions: Iterable[Body], story: Story) -> list[Body]:
    """Acks of this alert, what was done for its rule while it was on, and what was in force when it began."""
    known = story.known
    began_ns = known["published_ns"] if known is not None else 0
    before: dict[tuple[bool, str | None], Body] = {}
    during: list[Body] = []
    for each in actions:
        is_over = story.end is not None and each["published_ns"] > story.end["published_ns"]
        if each["action"] == "ack":
            if each["alert"] == f"{story.episode.id}/start":
                during.append(each)
        elif each["rule"] in {None, story.episode.rule} and not is_over:
            if each["published_ns"] < began_ns:
                before[each["action"] in {"mute", "unmute"}, each["rule"]] = each
            else:
                during.append(each)
    in_force = [each for each in before.values() if each["cause"] == "person" and each["action"] != "unmute"]
    return in_force + during

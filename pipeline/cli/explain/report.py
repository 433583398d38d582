"""What `explain` prints about an episode."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.cli.explain.plot import Point, draw
from pipeline.cli.explain.story import AFTER_NS, BEFORE_NS, Body, Story
from pipeline.frame_path.publisher.evidence_shelves import read_evidence
from pipeline.frame_path.publisher.wire import rfc3339

_INDENT = "  "
_EARLIEST_NS = 10**17
"""Times before 1973 are those of a file, which count from its first frame."""


def report(story: Story, timezone: str, config: str) -> Iterator[str]:
    """Lines. `config`: as it was written on the command line, for the one that replays."""
    known = story.known
    assert known is not None
    yield f"{story.episode.id}: {known['severity']}, {_notified(known)}, {_now(story)}"
    yield from (f"{_INDENT}{each['text']}" for each in (story.start, story.end) if each is not None)
    for title, lines in (
        ("measure", _measure(story, known)),
        (f"time ({timezone})", _time(story, timezone)),
        ("made by", _versions(known, story.deciding)),
        ("pictures", _pictures(story)),
        ("people", _people(story, timezone)),
        ("again", _again(story, known, config)),
    ):
        yield ""
        yield title
        yield from (f"{_INDENT}{line}" for line in lines)


def _notified(known: Body) -> str:
    if known.get("muted"):
        return "muted: nobody was told"
    return "people were told" if known["notify"] else "within the cooldown: nobody was told"


def _now(story: Story) -> str:
    if story.end is None:
        return "no end yet"
    return "ended" if story.start is not None else "ended; its start is no longer there"


def _measure(story: Story, known: Body) -> Iterator[str]:
    unit = known["unit"]
    start = story.start
    if start is not None:
        value = _amount(start["value"], unit, start["sigma"])
        yield f"{known['measure']} = {value} at frame {start['frame'] or '(a tick)'}"
        held = (start["rule_time_ns"] - start["began_ns"]) / 1e9
        yield f"enter {known['enter']} held for {held:.1f} s, of {known['hold_seconds']:g} s that it must"
        if start["reason"]:
            yield f"it was not known: {start['reason']}"
    yield f"exit  {known['exit']}"
    asked = known.get("asked_enter", ""), known.get("asked_exit", "")
    if all(asked) and asked != (known["enter"], known["exit"]):
        yield f"asked for: enter {asked[0]}, exit {asked[1]}; the rest is the margin"
    if story.end is not None:
        end = story.end
        yield f"at its worst {_amount(end['extreme'], unit, None)}; on for {end['duration_seconds']:.1f} s"
        yield f"ended at {_amount(end['value'], unit, end['sigma'])}{': ' + end['reason'] if end['reason'] else ''}"
    if start is not None and (subject := start["subject"]) is not None:
        labels = ", ".join(f"{name} {_best(label)}" for name, label in subject["labels"].items()) or "no label"
        yield f"nearest subject: {labels}, track {subject['track']}, {subject['patches']} patches"
    plot = draw(_points(story, known), known["enter"], known["exit"], unit or "value")
    yield from plot
    yield from ("seconds from the start; blank: not known, or nobody there",) if plot else ()


def _best(label: Body) -> str:
    score = label["top"][0][1] if label["top"] else 0.0
    return f"{label['name']} ({score:.2f})"


def _points(story: Story, known: Body) -> list[Point]:
    """From the results around it, or from the history that the alert brought along."""
    zero_ns = story.start["rule_time_ns"] if story.start else known["began_ns"]
    rule = story.episode.rule
    points: list[Point] = []
    for body in story.results:
        said = body["rules"].get(rule)
        if said is not None:
            is_on = said["episode"] == story.episode.episode and said["phase"] in {"active", "releasing"}
            value = said["value"] if said["is_known"] or said["reason"] != "tick" else None
            points.append(Point((body["times"]["rule_time_ns"] - zero_ns) / 1e9, value, is_on))
    if any(each.value is not None for each in points):
        return points
    history = {each[0]: each for body in (story.start, story.end) if body is not None for each in body["history"]}
    ended_ns = story.end["rule_time_ns"] if story.end else None
    return [
        Point((time_ns - zero_ns) / 1e9, value, time_ns >= zero_ns and (ended_ns is None or time_ns < ended_ns))
        for time_ns, value, _ in sorted(history.values())
    ]


def _time(story: Story, timezone: str) -> Iterator[str]:
    start = story.start
    times = story.deciding["times"] if story.deciding is not None else None
    if start is not None:
        yield f"began     {_clock(start['began_ns'], timezone)}  (rule time of the first frame past enter)"
        yield f"start     {_clock(start['rule_time_ns'], timezone)}  (rule time)"
        if times is not None:
            clock = f"by the clock {times['capture_clock']}, +- {times['capture_uncertainty_ns'] / 1e6:.0f} ms"
            yield f"captured  {_clock(times['capture_ns'], timezone)}  {clock}"
            steps = (("ingested", "ingest_ns"), ("analysed", "analysed_ns"), ("published", "published_ns"))
            yield from (
                f"{name:9} {_clock(times[key], timezone)}  {_after(times, key)}".rstrip() for name, key in steps
            )
        else:
            yield f"published {_clock(start['published_ns'], timezone)}"
            yield "the result of its frame is not there (trimmed, dropped, or a tick decided): no clocks, no latency"
    if story.end is not None:
        yield f"end       {_clock(story.end['rule_time_ns'], timezone)}  (rule time)"
        yield f"published {_clock(story.end['published_ns'], timezone)}"


def _after(times: Body, key: str) -> str:
    if key == "ingest_ns" and times["capture_ns"] < _EARLIEST_NS:
        return ""  # of a file: it was captured whenever it was
    if key == "ingest_ns":
        return f"{(times[key] - times['capture_ns']) / 1e6:+.0f} ms from capture"
    return f"{(times[key] - times['ingest_ns']) / 1e6:+.0f} ms from ingest"


def _versions(known: Body, deciding: Body | None) -> Iterator[str]:
    model = known["model"]
    yield f"model      {model['name']}, weights {model['weights']}, {model['fingerprint'][:16]}"
    yield f"space      {(model['space'] or '(none)')[:16]}"
    yield f"artefacts  {', '.join(known['artefacts']) or '(none)'}"
    lights = f", {deciding['view_lights']} lights" if deciding is not None and deciding["view_lights"] else ""
    yield f"empty view {known['view'] or '(none)'}{lights}"


def _pictures(story: Story) -> Iterator[str]:
    if not story.evidence:
        wanted = (story.known or {}).get("evidence")
        yield f"{wanted}: not announced (yet)" if wanted else "none: the rule asks for no `evidence`"
    for body in story.evidence:
        which = body["alert"].rpartition("/")[2]
        for name, value in body.items():
            if isinstance(value, dict) and "sha256" in value:
                yield f"{which} {name}: {value['path']}  ({value['num_bytes']} bytes, {_checked(value)})"
        if body.get("missing"):
            what = "clip" if body.get("of") == "clip" else "full-size picture"
            yield f"{which}: no {what}: {body['missing']}"


def _checked(picture: Body) -> str:
    try:
        data = read_evidence(picture["path"])
    except FileNotFoundError:
        return "not here: pruned, or on another machine or folder"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    is_same = hashlib.sha256(data).hexdigest() == picture["sha256"]
    return "sha256 is right" if is_same else "sha256 is WRONG: the file was changed"


def _people(story: Story, timezone: str) -> Iterator[str]:
    if not story.actions:
        yield "nobody acknowledged, muted or armed anything"
    for each in story.actions:
        yield f"{_clock(each['published_ns'], timezone)}  {each['text']}"


def _again(story: Story, known: Body, config: str) -> Iterator[str]:
    began_ns = known["began_ns"]
    ended_ns = story.end["rule_time_ns"] if story.end else known["rule_time_ns"]
    since, until = rfc3339(max(0, began_ns - BEFORE_NS)), rfc3339(ended_ns + AFTER_NS)
    yield f"python main.py replay {config} --camera {story.episode.camera} --since {since} --until {until}"


def _amount(value: float | None, unit: str, sigma: float | None) -> str:
    if value is None:
        return "(no value)"
    return f"{value:.2f}{' ' + unit if unit else ''}{f' +- {sigma:.2f}' if sigma is not None else ''}"


def _clock(time_ns: int, timezone: str) -> str:
    if time_ns < _EARLIEST_NS:
        return f"{time_ns / 1e9:.3f} s into the file"
    seconds, rest = divmod(time_ns, 1_000_000_000)
    local = datetime.fromtimestamp(seconds, tz=UTC).astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"

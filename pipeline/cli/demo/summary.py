"""After the demo: the proof, the page, and random weights beside."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from pipeline.cli.demo.compare import JUDGED_METRES, RULE, compare_random, error_text, truth_by_tenth
from pipeline.cli.demo.live import Live, Played, seconds_of
from pipeline.cli.demo.page import DockStory, Episode, Story, write_page
from pipeline.cli.demo.proof import Claim, counts_agree, episodes_agree
from pipeline.cli.demo.recording import Recording, crossings
from pipeline.cli.demo.stage import ENTER_METRES, EXIT_METRES, HOLD_SECONDS
from pipeline.control.model import Progress

_MIN_RATE_SECONDS = 5.0


def summarise(live: Live, played: Played, *, compare: bool, say: Callable[[str], None], progress: Progress) -> bool:
    """Prints the proof and writes the page; True if every claim holds."""
    assert played.final is not None
    claims = [Claim("drained: nothing was left in flight", played.is_drained)]
    claims += counts_agree(played.final, played.tallies, list(live.config.cameras))
    stories = [_story(live, played, dock) for dock in live.docks]
    episodes = [
        episodes_agree(
            story.camera,
            crossings(story.truth, ENTER_METRES, EXIT_METRES),
            [(each.start_s, each.end_s) for each in story.episodes],
            HOLD_SECONDS,
        )
        for story in stories
    ]
    knows_nothing = live.config.model.weights == "random"
    claims += [] if knows_nothing else episodes
    notes = _notes(live, played)
    notes += [f"not shown, since random weights know nothing: {each.text}" for each in episodes if knows_nothing]
    is_proven = all(claim.holds for claim in claims)
    write_results(live.out / "results.jsonl", played)
    page = live.out / "index.html"
    sheet = "sheet.png" if (live.out / "sheet.png").is_file() else None
    write_page(page, Story("dinostream demo", notes, stories, sheet, is_proven))
    say("")
    for claim in claims:
        say(str(claim))
    for note in notes:
        say(f"      {note}")
    if compare:
        say("the docks' frames again, offline, without tracks:")
        for line in compare_random(live, played, progress):
            say(f"      {line}")
    say(f"{'the proof holds' if is_proven else 'THE PROOF FAILED'}; pictures and curves: {page}")
    return is_proven


def write_results(path: Path, played: Played) -> None:
    """Every result that was heard, without its arrays, as JSON lines: what the page and the proof were made from."""
    bodies = [body for results in played.heard.results.values() for body in results]
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")


def _notes(live: Live, played: Played) -> list[str]:
    assert played.final is not None
    model = played.final.model
    about = f"{model.name}, weights {model.weights} ({model.fingerprint[:12]})" if model else "no model"
    caution = " - not the official checkpoint" if model and model.weights == "standin" else ""
    rate = _analysed_rate(played)
    repeated = sum(tally.repeated for tally in played.tallies.values())
    distances = "; ".join(f"{dock.camera} {error_text(_distance_errors(live, played, dock))}" for dock in live.docks)
    return [
        about + caution,
        (
            f"analysed {rate:.2f} frames/s, {live.rates.offered:.2f} offered; model alone {live.rates.bare:.1f} "
            f"({rate / live.rates.bare:.2f} of it)"
        ),
        f"peak memory {played.peak_bytes / 2**20:.0f} MB over the whole process tree",
        f"ids that came twice at a subscriber: {repeated}",
        f"distance to the dock against the simulator's truth under {JUDGED_METRES:g} m: {distances}",
    ]


def _analysed_rate(played: Played) -> float:
    """Frames a second between the first and the last look that saw any."""
    marks = [mark for mark in played.analysed_at if mark[1] > 0]
    if len(marks) < 2 or marks[-1][0] - marks[0][0] < _MIN_RATE_SECONDS:
        return 0.0
    return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])


def _story(live: Live, played: Played, dock: Recording) -> DockStory:
    results = sorted(played.heard.results.get(dock.camera, []), key=lambda body: body["seq"])
    measured = [(seconds_of(live, played, body), body["rules"][RULE]["value"]) for body in results if body["rules"]]
    starts = sorted(
        (body for body in played.heard.starts.values() if body["camera"] == dock.camera),
        key=lambda body: body["rule_time_ns"],
    )
    ends = {body["episode"]: body for body in played.heard.ends.values() if body["camera"] == dock.camera}
    anchor = results[0] if results else None

    def at(rule_time_ns: int) -> float:
        assert anchor is not None
        return seconds_of(live, played, anchor) + (rule_time_ns - anchor["times"]["rule_time_ns"]) / 1e9

    episodes = [
        Episode(
            at(body["rule_time_ns"]),
            at(ends[body["episode"]]["rule_time_ns"]) if body["episode"] in ends else None,
            body["text"],
            _relative(live.out, Path(played.heard.pictures.get(body["id"], "?"))),
        )
        for body in starts
    ]
    return DockStory(dock.camera, measured, dock.truth(), ENTER_METRES, EXIT_METRES, episodes)


def _distance_errors(live: Live, played: Played, dock: Recording) -> list[float]:
    """Of every published distance, metres."""
    truth = truth_by_tenth(dock)
    errors: list[float] = []
    for body in played.heard.results.get(dock.camera, []):
        value = body["rules"][RULE]["value"] if body["rules"] else None
        real = truth.get(round(10 * seconds_of(live, played, body)))
        if value is not None and real is not None and real < JUDGED_METRES:
            errors.append(abs(value - real))
    return errors


def _relative(folder: Path, path: Path) -> str | None:
    return os.path.relpath(path, folder) if path.is_file() else None

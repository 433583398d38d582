"""One run: a class is added to a bank by command line, actors are killed; then another, left by a second SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest
import redis

from pipeline.cli import bank_add
from pipeline.cli.app import UserError
from pipeline.local.child import ServerError
from pipeline.local.redis import RedisServer
from pipeline.simulation import POSES
from pipeline.simulation.training import training_frames
from tests.e2e import actor_kills
from tests.e2e.actor_kills import KILLS, PATIENCE_SECONDS, Entries
from tests.e2e.pipeline_process import ROOT, TOKEN, PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

CONFIG = site_file(
    "banks",
    """
heads:
  vehicles: {{kind: knn, bank: {bank}}}
cameras:
  clip:
    source: {{file: {clip}, loop: true, pace: realtime}}
    sample: {{policy: every_frame}}
    heads: [embedding, vehicles]
  dock-sim:
    source: {{simulated: dock, seed: 4, fps: 5}}
    sample: {{fps: 5, max_age: 5s}}
    heads: [embedding, vehicles]
""",
    "  publishers: 2",
)
CAMERAS = ("clip", "dock-sim")
COLLECTED_SECONDS = 4
VERSIONS = [f"head/vehicles@{number}" for number in (1, 2, 3)]
"""As it was built, with pallets of the live camera, with boxes out of the clip."""

pytestmark = [pytest.mark.ray, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(900 + 60 * KILLS)]


def main(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DINOSTREAM_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def write_pictures(folder: Path) -> None:
    for number, kind in enumerate(("forklift", "truck")):
        (folder / kind).mkdir(parents=True)
        for index, frame in enumerate(training_frames(4, POSES["P0"], number, movers=(1, 1), kinds=(kind,))):
            cv2.imwrite(str(folder / kind / f"{index}.png"), frame.rgb[:, :, ::-1])


def artefacts(entries: Entries) -> list[str]:
    """The bank's version of each result, in order."""
    names = [
        [name for name in body["artefacts"] if name.startswith("head/vehicles@")]
        for body in actor_kills.results(entries)
    ]
    return [each[0] if each else "" for each in names]


def labels(entries: Entries, version: str) -> list[str]:
    shown = [body for body in actor_kills.results(entries) if version in body["artefacts"]]
    return [body["frame_label"]["vehicles"]["top"][0][0] for body in shown]


@dataclass(slots=True)
class Site:
    """Where two runs, one after the other, read their configuration and publish to."""

    config: Path
    bank: Path
    token: Path
    """Holds what opens the page."""
    server: RedisServer

    def shown(self, camera: str) -> Entries:
        return stream(redis.Redis.from_url(self.server.url), f"banks:results:{camera}")

    def published(self) -> dict[str, int]:
        client = redis.Redis.from_url(self.server.url)
        return {camera: client.xlen(f"banks:results:{camera}") for camera in CAMERAS}

    def await_version(self, version: str) -> None:
        def is_named() -> bool:
            return all(version in artefacts(self.shown(camera)) for camera in CAMERAS)

        until(f"both name {version}", is_named, PATIENCE_SECONDS)


@dataclass(slots=True)
class Story:
    """What was said and published, in the order in which it happened."""

    commands: dict[str, subprocess.CompletedProcess[str]]
    refused: dict[str, UserError]
    killed: Counter[str]
    readiness: int
    code: int
    text: str
    entries: dict[str, Entries]
    """By camera, when the first run had ended."""
    left_with: int | None = None
    """Exit status of the second run; None: it did not leave."""
    later: dict[str, Entries] = field(default_factory=dict)
    """When the second run went on."""


@pytest.fixture(scope="module")
def site(tmp_path_factory, ray_address, missing_server):
    folder = tmp_path_factory.mktemp("banks")
    actor_kills.write_clip(folder / "clip.mp4")
    write_pictures(folder / "pictures")
    bank = folder / "bank"
    model = ("--weights", "random", "--shape", "56x98")
    built = main("bank", "build", str(folder / "pictures"), "--out", str(bank), *model)
    assert built.returncode == 0, built.stderr
    try:
        server = RedisServer(folder, options=("--appendonly", "yes"))
    except ServerError as error:
        missing_server(str(error))
    config = folder / "cameras.yaml"
    with server:
        paths = {"clip": folder / "clip.mp4", "bank": bank, "state": folder / "state"}
        config.write_text(CONFIG.format(redis=server.url, prefix="banks", ray=ray_address, **paths))
        (folder / "token").write_text(TOKEN)
        (folder / "token-of-others").write_text("another")
        yield Site(config, bank, folder / "token", server)


@pytest.fixture(scope="module")
def story(site) -> Story:
    first = first_run(site)
    second_run(site, first)
    return first


def first_run(site: Site) -> Story:
    """Classes are added, mistakes are made, actors die."""
    with PipelineProcess(site.config) as pipeline:
        site.await_version(VERSIONS[0])

        def refused(camera: str, place: str) -> UserError:
            with pytest.raises(UserError) as caught:
                bank_add.add("x", camera=camera, next_="1s", address=pipeline.address, token=f"${{file:{place}}}")
            return caught.value

        there = ("--http", pipeline.address)
        added = main("bank", "add", "pallet", *there, "--camera", "dock-sim", "--next", f"{COLLECTED_SECONDS}s")
        site.await_version(VERSIONS[1])
        from_file = main("bank", "add", "box", *there, "--camera", "clip", "--at", "00:00..00:02")
        site.await_version(VERSIONS[2])
        commands = {"added": added, "from_file": from_file}
        mistakes = {
            "token": refused("dock-sim", f"{site.token}-of-others"),
            "name": refused("dock-sym", str(site.token)),
        }
        killed = actor_kills.kill_in_turn(pipeline, site.published)
        readiness, _ = pipeline.get("/readyz")
        code = pipeline.terminate()
    entries = {camera: site.shown(camera) for camera in CAMERAS}
    return Story(commands, mistakes, killed, readiness, code, pipeline.text, entries)


def second_run(site: Site, story: Story) -> None:
    """It goes on where the first one ended, until it is told twice to leave while the required sink hangs."""
    before = site.published()
    with PipelineProcess(site.config) as pipeline:

        def go_on() -> bool:
            return all(count > before[camera] + 3 for camera, count in site.published().items())

        until("results after the restart", go_on, PATIENCE_SECONDS)
        story.later = {camera: site.shown(camera) for camera in CAMERAS}
        site.server.pause()  # a drain would take its whole time
        try:
            pipeline.signal(signal.SIGTERM)
            until("the drain has begun", lambda: "draining" in pipeline.text, seconds=30)
            pipeline.signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                story.left_with = pipeline.wait(20)
        finally:
            site.server.resume()


def test_a_class_added_while_it_runs_is_named_by_every_camera(story):
    added, from_file = story.commands["added"], story.commands["from_file"]
    assert added.returncode == 0, added.stderr
    assert re.search(r"in use (?:everywhere )?\d+\.\d s after the last picture", added.stdout), added.stdout
    told = {line.split(":")[0].strip() for line in added.stdout.splitlines() if line.startswith("  ")}
    assert told == set(CAMERAS), added.stdout
    assert from_file.returncode == 0, from_file.stderr
    assert VERSIONS[2] in from_file.stdout
    for camera in CAMERAS:
        versions = artefacts(story.entries[camera])
        assert versions == sorted(versions), f"{camera} went back to an older version"
        assert set(versions) == set(VERSIONS)
    said = labels(story.entries["dock-sim"], VERSIONS[1])
    assert said.count("pallet") > 0.6 * len(said), said


def test_a_mistake_is_one_sentence_and_adds_nothing(story, site):
    for error, said in (
        (story.refused["token"], "refuses the token"),
        (story.refused["name"], "did you mean 'dock-sim'"),
    ):
        assert (error.exit_code, str(error).count("\n")) == (2, 0), error
        assert said in str(error)
    counts = json.loads((site.bank / "report.json").read_text())["classes"]
    assert set(counts) == {"forklift", "truck", "pallet", "box"}


def test_kills_of_owner_analyzer_and_publisher_lose_double_and_reorder_nothing(story):
    assert sum(story.killed.values()) == KILLS
    assert story.readiness == 200
    assert story.code == 0, story.text
    assert story.text.count("unaccounted 0") == 2, story.text
    actor_kills.check_clip(story.entries["clip"])
    actor_kills.check_live(story.entries["dock-sim"], story.killed)


def test_the_next_run_goes_on_with_the_newest_bank(story):
    for camera in CAMERAS:
        assert artefacts(story.later[camera])[-1] == VERSIONS[2]
        assert len(actor_kills.positions(story.later[camera])) > len(actor_kills.positions(story.entries[camera]))


def test_a_second_sigterm_leaves_at_once(story):
    assert story.left_with == 143

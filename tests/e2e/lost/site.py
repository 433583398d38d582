"""The site that loses machines: a recording with an episode in each round, a live camera, both in the yard."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.topics import create_topics, planned_topics
from tests.bright_clips import make_bright_clip, save_bright
from tests.e2e.lost.foreign_clients import Brokers, Seen
from tests.e2e.lost.ray_of_machines import RayOfMachines
from tests.e2e.pipeline_process import PipelineProcess
from tests.waiting import until

log = logging.getLogger("loss")
SEED = int(os.environ.get("SEED", "20261130"))
"""Of when what is lost; any number."""
FPS = 5
PARTS = ((False, 2), (True, 6), (False, 2))
"""(is bright, seconds) of a round: one episode."""
FRAMES = FPS * sum(seconds for _, seconds in PARTS)
CAMERAS = ("gate", "dock")
CONFIG = """
version: 1
site: {{name: loses, timezone: UTC}}
secrets: {{token: "${{env:CONTROL_TOKEN}}"}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
heads: {{look: {{kind: similarity, pictures: {pictures}}}}}
defaults: {{place: yard, heads: [embedding, look]}}
cameras:
  gate:
    source: {{file: {clip}, loop: true, pace: realtime}}
    sample: {{policy: every_frame}}
    rules:
      bright: {{measure: similarity(look), enter: "> 0.9", exit: "< 0.8", hold: 200ms, release: 200ms}}
  dock:
    source: {{simulated: dock, seed: {seed}, fps: 5}}
    sample: {{fps: 5, max_age: 5s}}
    rules:
      always: {{measure: similarity(look), enter: "> -0.98", exit: "< -0.99", hold: 0s, release: 0s}}
sinks:
  redis: {{url: "{brokers.redis_url}", prefix: {brokers.prefix}}}
  kafka: {{brokers: ["{brokers.kafka}"], prefix: {brokers.prefix}}}
runtime:
  ray: "{ray}"
  state_dir: {state}
  decoders: 1
  admission: degrade
  http: {{bind: "127.0.0.1:0", token: token}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """Where its things lie."""

    config: Path
    brokers: Brokers
    ray: RayOfMachines
    random: random.Random = field(default_factory=lambda: random.Random(SEED))

    def pause(self, least: float, most: float) -> None:
        """Before something is lost: other seeds, other moments of the recording's round."""
        threading.Event().wait(self.random.uniform(least, most))


def write_site(hidden: Path, open_: Path, brokers: Brokers, ray: RayOfMachines) -> Site:
    """The state lies in `hidden`, which other machines do not see; the recording in `open_`, which they do."""
    settings = KafkaSinkConfig(brokers=(brokers.kafka,), prefix=brokers.prefix)
    create_topics(settings, Secrets({}), planned_topics(settings))
    pictures = hidden / "pictures"
    pictures.mkdir(parents=True)
    save_bright(pictures / "bright.png")
    make_bright_clip(open_ / "gate.mp4", PARTS, FPS)
    places = {"clip": open_ / "gate.mp4", "pictures": pictures, "state": hidden / "state"}
    config = hidden / "cameras.yaml"
    config.write_text(CONFIG.format(brokers=brokers, ray=ray.address, seed=SEED % 1000, **places))
    return Site(config, brokers, ray)


# --- what is waited for -----------------------------------------------------------------------------------------------


def goes_on(brokers: Brokers, *cameras: str, seconds: float = 180.0) -> float:
    """Seconds until five more results of each are there."""
    before = {camera: len(brokers.results(camera)) for camera in cameras or CAMERAS}
    return took(lambda: all(len(brokers.results(c)) > n + 5 for c, n in before.items()), "cameras go on", seconds)


def took(is_so: Callable[[], bool], what: str, seconds: float = 180.0) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    until(what, is_so, seconds)
    seconds_taken = time.monotonic() - began
    log.info("%s: %.1f s", what, seconds_taken)
    return seconds_taken


def actor(pipeline: PipelineProcess, kind: str, camera: str = "gate") -> dict:
    """The decoder or publisher of a camera, as `/status` tells."""
    return next(each for each in pipeline.status()["actors"] if each["kind"] == kind and camera in each["cameras"])


# --- what must hold ---------------------------------------------------------------------------------------------------


def check_order(brokers: Brokers) -> None:
    """At both brokers: nothing of an earlier lease or round after a later one, nothing twice by id, the same events."""
    for camera in CAMERAS:
        for kind in ("results", "alerts"):
            by_redis, by_kafka = brokers.in_redis(camera, kind), brokers.in_kafka(camera, kind)
            assert [each.id for each in by_redis] == _once(by_redis), f"{camera}: {kind} twice in Redis"
            assert _once(by_kafka) == [each.id for each in by_redis], f"{camera}: {kind} of Kafka are others"
        found = [each.position for each in brokers.results(camera)]
        wrong = [(one, other) for one, other in pairwise(found) if one >= other]
        assert not wrong, f"{camera}: an earlier lease after a later one, or out of order: {wrong}"


def check_alerts(brokers: Brokers) -> None:
    """Of the recording each episode's start and end, once; of the live camera one start and never an end."""
    starts, ends = ([each.body["episode"] for each in brokers.alerts("gate", kind)] for kind in ("start", "end"))
    assert starts == list(range(1, len(starts) + 1))
    assert ends == starts[: len(ends)]
    assert len(starts) - len(ends) in {0, 1}, (starts, ends)
    positions = [each.position for each in brokers.results("gate")]
    begun, passed = (
        {number for number, seq in positions if seq >= least} for least in (FPS * PARTS[0][1], FRAMES // 2)
    )
    assert len(passed) <= len(starts) <= len(begun), "an episode a round"
    assert [each.id for each in brokers.in_redis("dock", "alerts")] == ["dock/always/1/start"]


def check_recording(brokers: Brokers) -> None:
    """Every frame of every round, but for what the last one had not reached."""
    rounds: dict[int, list[int]] = {}
    for each in brokers.results("gate"):
        rounds.setdefault(each.position[0], []).append(each.position[1])
    *whole, last = [rounds[number] for number in sorted(rounds)]
    assert sorted(rounds) == list(range(len(rounds)))
    assert all(seqs == list(range(FRAMES)) for seqs in whole), rounds
    assert last == list(range(len(last)))


def _once(found: list[Seen]) -> list[str]:
    return list(dict.fromkeys(each.id for each in found))


def missed(results: list[Seen], lease: int, told: int) -> int:
    """How many of the lease's first `told` frames have no result although a later one of it has."""
    seqs = {each.position[1] for each in results if each.position[0] == lease}
    return len(set(range(min(max(seqs, default=-1) + 1, told))) - seqs)


def check_ledger(pipeline: PipelineProcess, brokers: Brokers) -> str:
    """Of the live camera: what the accounts call lost or unknown covers what a foreign client misses of the frames that
    the owners told of, and with the time in which nobody read it, of all that it showed; for people.
    """
    results = brokers.results("dock")
    status = pipeline.status()
    told = status["closed"].get("dock", ())
    lines, gone_in_all = [], 0
    for ledger in told:
        seen = {each.position for each in results if each.position[0] == ledger["lease"]}
        gone = sum(ledger["lost"].values()) + ledger["sampled_out"] + ledger["replaced"] + ledger["stale"]
        assert ledger["decoded"] == ledger["analysed"] + ledger["gated"] + gone, ledger
        assert missed(results, ledger["lease"], ledger["decoded"]) <= gone, ledger
        assert ledger["analysed"] <= len(seen), f"counted as analysed and seen by nobody: {ledger}"
        gone_in_all += gone
        lines.append(f"lease {ledger['lease']}: decoded {ledger['decoded']}, analysed {ledger['analysed']}, "
                     f"lost {ledger['lost']}, seen by others {len(seen)}")  # fmt: skip
    now = next(each["ledger"] for each in status["cameras"] if each["camera"] == "dock")
    gone_in_all += now["decoded"] - now["analysed"] - now["gated"]
    came = sorted(each.body["times"]["ingest_ns"] for each in results)
    shown = (came[-1] - came[0]) / 1e9 * FPS
    unread = status["unread_seconds"].get("dock", 0.0)
    lines.append(f"it showed {shown:.0f} frames, {len(results)} have results, {gone_in_all} are accounted for, "
                 f"and nobody read it for {unread:.1f} s")  # fmt: skip
    late = 0.02 * shown  # a busy machine draws a picture of the simulation later than its time
    assert shown - len(results) <= gone_in_all + unread * FPS + len(told) + late + 1, lines[-1]
    return "; ".join(lines)

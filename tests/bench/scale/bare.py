"""`python -m tests.bench.scale.bare CONFIG`: the same owner, analyzer and publisher in one process, without Ray.

Says `ready` when it reads cameras. Takes `again` on standard input, to read the configuration's `sample` sections anew,
and `end`.
"""

# ruff: noqa: T201 - it answers on standard output

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.model import build_analyzer, model_spec
from pipeline.control.planning.plan import Offer
from pipeline.control.planning.specs import RunSpec
from pipeline.control.planning.topology import make_plan
from pipeline.frame_path.lanes import LaneLimits, LanePool
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.publisher import Publisher
from pipeline.sinks.registry import build_sinks
from tests.bench.scale.reality import PooledAnalyzer


class LocalPublisher:
    """A handle at a publisher of this process."""

    name = "publish-0"

    def __init__(self, publisher: Publisher) -> None:
        self.attach, self.publish = publisher.attach, publisher.publish


def main(path: str) -> None:
    torch.set_num_threads(1)
    clock = SystemClock()
    config = load_config(Path(path))
    spec = RunSpec(config, model_spec(config))
    plan = make_plan(spec.wish(), Offer.of(len(os.sched_getaffinity(0))))
    analyzer = build_analyzer(spec.model)
    lanes = plan.analyzers[0]
    pool = LanePool(analyzer.analyze, LaneLimits(lanes.lanes, lanes.max_batch_size, lanes.max_wait_seconds), clock)
    told = spec.publish_spec("publish-0", plan)
    sinks, required = build_sinks(told.sinks, told.site, told.secrets)
    publisher = Publisher(
        cameras=told.cameras,
        sinks=sinks,
        required=required,
        state_dir=told.state_dir,
        site=told.site,
        timezone=told.timezone,
        model=analyzer.about,
        outbox=told.outbox,
        evidence=told.evidence,
        clock=clock,
    )
    publisher.start()
    feeds = [feed for each in plan.decoders for feed in each.feeds]
    leases = dict.fromkeys(config.cameras, 1)
    owner = Owner(
        "decode-0",
        [spec.feed_plan(feed, leases) for feed in feeds],
        analyzers=[(PooledAnalyzer(pool), sum(plan.credits.values()))],
        publisher_of=lambda _: LocalPublisher(publisher),
        clock=clock,
        state_dir=spec.state_dir,
        limits=BatchLimits(max_batch_size=lanes.max_batch_size),
        unreached_seconds=float("inf"),
    )
    owner.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        again = RunSpec(load_config(Path(path)), spec.model)
        owner.change([each for feed in feeds for each in again.feed_plan(feed, leases).cameras])
        print("read again", flush=True)
    owner.stop(10.0)
    publisher.close(5.0)
    pool.close()


if __name__ == "__main__":
    main(sys.argv[1])

from dataclasses import replace

import pytest

from pipeline.control.serving.health import is_ready, judge
from pipeline.control.snapshot import ActorStatus, PipelineSnapshot
from pipeline.frame_path.publisher.published import PublisherSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot
from pipeline.sinks.base import SinkHealth

NOW = 1_000 * 10**9
REQUIRED = frozenset({"redis"})


def sink(name, **changes):
    return replace(SinkHealth(name, True, 0, 0, NOW - 10**9), **changes)


def well():
    return PipelineSnapshot(
        site="lab",
        taken_ns=NOW,
        cameras=(CameraSnapshot("dock", 1, "live", 0, LedgerSnapshot("dock", 1, analysed=10)),),
        publishers={"publish-0": PublisherSnapshot(sinks=[sink("redis"), sink("kafka")])},
        actors=tuple(ActorStatus(f"{kind}-0", kind, "running", 0, 7) for kind in ("decode", "analyze", "publish")),
    )


def publisher(**changes):
    return {"publish-0": replace(well().publishers["publish-0"], **changes)}


def camera(**changes):
    return (replace(well().cameras[0], **changes),)


def actors(kind):
    return tuple(replace(each, state="backoff") if each.kind == kind else each for each in well().actors)


FAULTS = {
    "actors/analyze": {"actors": actors("analyze")},
    "actors/publish": {"actors": actors("publish")},
    "actors/decode": {"actors": actors("decode")},
    "analysis": {"cameras": camera(ledger=LedgerSnapshot("dock", 1, analysed=1, lost={"analyze_error": 5}))},
    "outbox/publish-0": {"publishers": publisher(is_outbox_full=True)},
    "sink/publish-0/redis": {
        "publishers": publisher(
            sinks=[
                sink("redis", is_connected=False, last_acknowledged_ns=NOW - 20 * 10**9, last_error="refused"),
                sink("kafka"),
            ]
        )
    },
    "sink/publish-0/kafka": {
        "publishers": publisher(sinks=[sink("redis"), sink("kafka", queued=3, last_acknowledged_ns=NOW - 31 * 10**9)])
    },
    "camera/dock": {"cameras": camera(state="frozen", reason="the same picture")},
}


def test_a_well_pipeline_is_green_all_over():
    verdicts = judge(well(), REQUIRED, NOW)
    assert [each.component for each in verdicts if not each.is_well] == []
    assert is_ready(verdicts)
    assert {each.component for each in verdicts} == set(FAULTS)


@pytest.mark.parametrize("component", FAULTS)
def test_each_fault_turns_its_own_component_red_with_a_reason_and_no_other(component):
    verdicts = judge(replace(well(), **FAULTS[component]), REQUIRED, NOW)
    red = [each for each in verdicts if not each.is_well]
    assert [each.component for each in red] == [component]
    assert red[0].reason
    is_fatal = component not in {"camera/dock", "sink/publish-0/kafka"}
    assert is_ready(verdicts) is not is_fatal


def test_one_model_worker_of_two_may_be_away():
    second = ActorStatus("analyze-1", "analyze", "backoff", 1)
    verdicts = judge(replace(well(), actors=(*well().actors, second)), REQUIRED, NOW)
    assert all(each.is_well for each in verdicts)

"""Records that no camera claims, in the metrics: summed by topic over owners."""

from prometheus_client import generate_latest

from pipeline.control.serving.telemetry import registry
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot


def camera(name: str, **unrouted: int) -> CameraSnapshot:
    return CameraSnapshot(name, 1, "live", 0, LedgerSnapshot(name, 1), unrouted=unrouted)


def test_unrouted_records_are_summed_by_topic():
    cameras = (camera("a", frames=3, yard=1), camera("b", frames=4), camera("c"))
    page = generate_latest(registry(lambda: PipelineSnapshot(site="lab", taken_ns=0, cameras=cameras))).decode()
    assert 'dinostream_unrouted_records_total{topic="frames"} 7.0' in page
    assert 'dinostream_unrouted_records_total{topic="yard"} 1.0' in page

"""Small pictures for searches, in the metrics."""

from prometheus_client import generate_latest

from pipeline.control.serving.telemetry import registry
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.frame_path.publisher.published import PublisherSnapshot


def test_thumbnails_are_counted_by_camera_and_outcome():
    one = PublisherSnapshot(thumbnails={"gate": {"written": 3, "failed": 1}})
    two = PublisherSnapshot(thumbnails={"yard": {"written": 2}})
    snapshot = PipelineSnapshot(site="lab", taken_ns=0, publishers={"publish-0": one, "publish-1": two})
    page = generate_latest(registry(lambda: snapshot)).decode()
    assert 'dinostream_thumbnails_total{camera="gate",outcome="written"} 3.0' in page
    assert 'dinostream_thumbnails_total{camera="gate",outcome="failed"} 1.0' in page
    assert 'dinostream_thumbnails_total{camera="yard",outcome="written"} 2.0' in page

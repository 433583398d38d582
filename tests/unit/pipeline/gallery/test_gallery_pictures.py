from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from operators.frames import Ticket
from operators.preview import preview_jpeg
from pipeline.frame_path.publisher.evidence import evidence_path
from pipeline.frame_path.publisher.thumbnail_store import thumbnail_path
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from pipeline.gallery.pictures import CameraPictures, Pictures
from pipeline.gallery.records import Record
from pipeline.gallery.store import GalleryStore
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig
from pipeline.sources.simulated import dock_for, frame_at
from tests.fakes_gallery import SECOND, direction, result, subject

CLIP = Path(__file__).parents[4] / "configs/clips/dock.mp4"
LIVE = SourceConfig(url="rtsp://127.0.0.1:1/a")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    config = GalleryConfig(store=str(tmp_path / "gallery"))
    store = GalleryStore(config)
    body = result(7, subject(direction(1)), episodes={"too_close": ("active", 12)})
    Intake(config, store).take([body], {}, 1)
    (found,) = store.live
    store.close()
    return found


def pictures(source: SourceConfig, evidence: Path | str, state_dir: Path = Path("none"), **more: object) -> Pictures:
    camera = CameraPictures(source, **more)  # pyright: ignore[reportArgumentType]
    return Pictures({"dock-1": camera}, Secrets({}), (), KafkaSecurity(), evidence=str(evidence), state_dir=state_dir)


def test_a_simulated_dock_is_drawn_again_with_its_privacy(record: Record, tmp_path: Path) -> None:
    corner = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    source = SourceConfig(simulated="dock", seed=8)
    shown = pictures(source, tmp_path, privacy=(corner,)).of(record).rgb
    scene, schedule, _ = dock_for(8)
    true = frame_at(scene, schedule, 7.0).rgb
    assert shown is not None
    assert (shown[200:] == true[200:]).all()
    assert shown[:100, :200].max() == 0


def test_a_file_is_decoded_again_at_the_frame_s_time(record: Record, tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(CLIP))
    frames = [capture.read()[1] for _ in range(60)]
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    finder = pictures(SourceConfig(file=str(CLIP)), tmp_path)
    for number in (10, 11, 15, 30):  # where something moves
        shown = finder.of(msgspec.structs.replace(record, pts_ns=round(number / rate * SECOND))).rgb
        assert shown is not None
        errors = [float(np.abs(shown[:, :, ::-1].astype(int) - each).mean()) for each in frames]
        assert errors[number] < 3.0
        assert errors[number] == min(errors)


def test_a_file_that_is_another_one_is_said(record: Record, tmp_path: Path) -> None:
    finder = pictures(SourceConfig(file=str(CLIP)), tmp_path)
    shown = finder.of(msgspec.structs.replace(record, pts_ns=3600 * SECOND, episodes=[]))
    assert shown.rgb is None
    assert "has no frame at 3600.000 s" in shown.why


def test_of_a_live_camera_there_is_the_picture_of_the_alert_that_was_on(record: Record, tmp_path: Path) -> None:
    finder = pictures(LIVE, tmp_path)
    assert finder.of(record).why == "a live camera's frames are not kept, and no thumbnail was taken within 5 s"
    path = tmp_path / evidence_path("dock-1", "too_close", 12, "start")
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), np.full((36, 64, 3), 200, np.uint8))
    shown = finder.of(record)
    assert shown.rgb is not None
    assert shown.rgb.shape == (36, 64, 3)
    assert shown.why == "start of alert too_close 12"


def keep(evidence: Path, record: Record, grey: int, seq: int, seconds: float = 0.0) -> Path:
    """A thumbnail of the record's camera `seconds` after it."""
    path = evidence / thumbnail_path(Ticket("dock-1", 17, 17, seq), record.rule_time_ns + round(seconds * SECOND))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(preview_jpeg(np.full((28, 56, 3), grey, np.uint8)))
    return path


def test_of_a_live_camera_there_is_the_frame_s_own_thumbnail_else_the_nearest(record: Record, tmp_path: Path) -> None:
    finder = pictures(LIVE, tmp_path)
    for grey, seq, seconds in ((10, 1, -5.1), (60, 2, -4.9), (120, 9, 2.04)):
        keep(tmp_path, record, grey, seq, seconds)
    alert = tmp_path / evidence_path("dock-1", "too_close", 12, "start")
    alert.parent.mkdir(parents=True)
    cv2.imwrite(str(alert), np.full((36, 64, 3), 250, np.uint8))
    shown = finder.of(record)
    assert shown.rgb is not None
    assert (round(float(shown.rgb.mean())), shown.why) == (120, "2.0 s after 2026-01-01 00:00:07Z")
    own = keep(tmp_path, record, 200, 7)
    shown = finder.of(record)
    assert shown.rgb is not None
    assert (round(float(shown.rgb.mean())), shown.why) == (200, "")
    own.write_bytes(b"")  # as a power cut leaves it
    (tmp_path / thumbnail_path(Ticket("dock-1", 17, 17, 9), record.rule_time_ns + 2_040_000_000)).unlink()
    shown = finder.of(record)
    assert shown.rgb is not None
    assert (round(float(shown.rgb.mean())), shown.why) == (60, "4.9 s before 2026-01-01 00:00:07Z")
    (tmp_path / thumbnail_path(Ticket("dock-1", 17, 17, 2), record.rule_time_ns - 4_900_000_000)).unlink()
    assert finder.of(record).why == "start of alert too_close 12", "what is 5.1 s away is another moment"


def test_thumbnails_beside_evidence_that_lies_in_no_folder_are_found(record: Record, tmp_path: Path) -> None:
    rgb = np.full((224, 392, 3), 90, np.uint8)
    path = tmp_path / thumbnail_path(Ticket("dock-1", 17, 17, 7), record.rule_time_ns)
    path.parent.mkdir(parents=True)
    path.write_bytes(preview_jpeg(rgb))
    shown = pictures(LIVE, "memory://evidence/c", tmp_path).of(record)
    assert shown.why == ""
    assert shown.rgb is not None
    assert abs(int(shown.rgb.mean()) - 90) < 3


def test_a_thumbnail_stands_for_a_file_that_is_gone_and_not_for_another_lease(record: Record, tmp_path: Path) -> None:
    keep(tmp_path, record, 90, 7)
    assert pictures(SourceConfig(file=str(tmp_path / "gone.mp4")), tmp_path).of(record).rgb is not None
    other = pictures(LIVE, tmp_path).of(msgspec.structs.replace(record, frame="dock-1/18/7", episodes=[]))
    assert other.rgb is None


def test_a_camera_of_another_configuration_is_said(record: Record, tmp_path: Path) -> None:
    other = msgspec.structs.replace(record, camera="yard", episodes=[])
    assert "yard is not in this configuration" in pictures(LIVE, tmp_path).of(other).why

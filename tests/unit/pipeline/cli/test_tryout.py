"""The parts of `try`: who waits for whom, what is new, and a configuration that can be used."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.subjects import view_tokens
from pipeline.cli.app import UserError
from pipeline.cli.pictures.outlines import MARK, outlined
from pipeline.cli.try_source import try_source
from pipeline.cli.tryout.camera_file import Tried, camera_id, write_configuration
from pipeline.cli.tryout.novelty import FirstSeconds
from pipeline.cli.tryout.session import NewThings, clock_text
from pipeline.cli.tryout.watcher import Ended, Opened, Seen, Watcher
from pipeline.cli.tryout.webcam import webcam_device
from pipeline.cli.validate import validate
from pipeline.config.loader import load_config
from pipeline.errors import ConnectError, DecodeError
from pipeline.sources.config import SourceConfig
from tests.fakes import End, FakeClock, Fault, Script, Show

JOIN_SECONDS = 20


def file_of(count: int, *steps: object) -> Script:
    return Script("cam", [Show(count), *steps], is_replayable=True)


# the watcher


def test_a_file_waits_and_is_sampled_on_its_own_clock() -> None:
    with Watcher(file_of(40, End()).feed(), seconds=2.0, fps=2.0, clock=FakeClock().monotonic) as watcher:
        news = [watcher.take() for _ in range(6)]
    assert isinstance(news[0], Opened)
    assert [each.seconds for each in news[1:5] if isinstance(each, Seen)] == [0.0, 0.5, 1.0, 1.5]
    assert news[5] == Ended(None)
    assert watcher.measured.num_frames == 20
    assert watcher.measured.fps == pytest.approx(10.0)


def test_a_file_that_ends_early_ends_well() -> None:
    with Watcher(file_of(3, End()).feed(), seconds=30.0, fps=2.0) as watcher:
        news = [watcher.take() for _ in range(3)]
    assert [type(each) for each in news] == [Opened, Seen, Ended]
    assert news[2] == Ended(None)


def test_a_machine_that_is_slower_than_the_file_skips_pictures() -> None:
    late = itertools.count(0.0, 100.0)  # every look at the clock finds it 100 s later
    with Watcher(file_of(100, End()).feed(), seconds=30.0, fps=2.0, clock=lambda: next(late)) as watcher:
        first = [watcher.take(), watcher.take()]
        watcher._thread.join(JOIN_SECONDS)
        assert not watcher._thread.is_alive()
        rest = [watcher.take() for _ in range(4)]
    assert [type(each) for each in (*first, *rest)] == [Opened, Seen, Seen, Seen, Seen, Ended]
    assert watcher.measured.num_frames == 100  # all were decoded, and the rate is of all


def test_of_a_camera_the_newest_picture_wins_and_opening_is_still_told() -> None:
    clock = FakeClock()
    script = Script("cam", [Show(30)], pause=lambda: clock.advance(0.1))
    with Watcher(script.feed(), seconds=60.0, fps=2.0, clock=clock.monotonic) as watcher:
        watcher._thread.join(JOIN_SECONDS)
        news = [watcher.take() for _ in range(3)]
    assert [type(each) for each in news] == [Opened, Seen, Ended]
    assert isinstance(news[1], Seen)
    assert news[1].seconds == pytest.approx(2.5)
    assert watcher.measured.fps == pytest.approx(10.0)


def test_a_camera_is_left_when_the_time_is_over() -> None:
    clock = FakeClock()
    script = Script("cam", [Show(1000)], pause=lambda: clock.advance(0.1))
    with Watcher(script.feed(), seconds=3.0, fps=2.0, clock=clock.monotonic) as watcher:
        watcher._thread.join(JOIN_SECONDS)
    assert watcher.measured.num_frames == 30


def test_a_camera_that_cannot_be_opened_and_one_that_fails_say_so() -> None:
    refused = ConnectError("no", code="refused", where="cam")
    with Watcher(Script("cam", [], refusals=[refused]).feed(), seconds=3.0, fps=2.0) as watcher:
        assert watcher.take() == Ended(refused)
    broken = DecodeError("broken", code="undecodable", where="cam")
    feed = Script("cam", [Show(1), Fault(broken)]).feed()
    with Watcher(feed, seconds=3.0, fps=2.0) as watcher:
        watcher._thread.join(JOIN_SECONDS)
        assert [watcher.take() for _ in range(3)][-1] == Ended(broken)
    assert feed.is_closed


def test_leaving_ends_a_thread_that_waits_for_room() -> None:
    with Watcher(file_of(1000, End()).feed(), seconds=90.0, fps=2.0) as watcher:
        assert isinstance(watcher.take(), Opened)
    assert not watcher._thread.is_alive()


# what is new

GRID = (10, 16)


def sample(seed: int, thing: tuple[slice, slice] | None = None, drift: float = 0.0) -> ViewSample:
    rng = np.random.Generator(np.random.PCG64(5))
    floor = rng.normal(size=(*GRID, 32))
    noise = np.random.Generator(np.random.PCG64(100 + seed)).normal(size=(*GRID, 32)) * 0.1
    tokens = floor + noise
    tokens[..., 0] += drift
    if thing is not None:
        tokens[thing] = np.random.Generator(np.random.PCG64(900 + seed)).normal(size=32)
    return ViewSample(None, view_tokens(tokens.reshape(-1, 32)), 0.0)


def taught(*firsts: ViewSample) -> FirstSeconds:
    first = FirstSeconds(len(firsts))
    assert [first.new_in(each, GRID) for each in firsts] == [None] * len(firsts)
    return first


def test_only_the_thing_is_new_though_the_light_drifts() -> None:
    first = taught(sample(1), sample(2), sample(3))
    assert first.new_in(sample(4), GRID) == []
    assert first.new_in(sample(5, drift=5.0), GRID) == []
    where = (slice(3, 6), slice(4, 9))
    found = first.new_in(sample(6, where, drift=5.0), GRID)
    assert found is not None
    assert len(found) == 1
    expected = np.zeros(GRID, bool)
    expected[where] = True
    assert np.array_equal(found[0], expected)


def test_something_that_moves_during_the_first_seconds_does_not_blind_it() -> None:
    first = taught(*(sample(seed, (slice(0, 3), slice(2 * seed, 2 * seed + 3))) for seed in range(1, 5)))
    found = first.new_in(sample(9, (slice(6, 9), slice(4, 9))), GRID)
    assert found is not None
    assert [int(mask.sum()) for mask in found] == [15]


def test_things_are_told_apart_and_specks_left_out() -> None:
    first = taught(sample(1), sample(2))
    both = sample(7, (slice(1, 3), slice(1, 3)))
    other = sample(8, (slice(5, 9), slice(8, 12)))
    speck = sample(9, (slice(0, 1), slice(14, 16)))
    tokens = both.tokens.reshape(*GRID, -1).copy()
    tokens[5:9, 8:12] = other.tokens.reshape(*GRID, -1)[5:9, 8:12]
    tokens[0, 14:16] = speck.tokens.reshape(*GRID, -1)[0, 14:16]
    found = first.new_in(ViewSample(None, tokens.reshape(-1, 32), 0.0), GRID)
    assert found is not None
    assert [int(mask.sum()) for mask in found] == [16, 4]  # the largest first


def test_outlines_run_along_the_border_of_the_patches() -> None:
    mask = np.zeros((4, 8), bool)
    mask[1:3, 2:5] = True
    drawn = outlined(np.full((56, 112, 3), 90, np.uint8), [mask])
    assert drawn[14, 40].tolist() == list(MARK)
    assert drawn[20, 28].tolist() == list(MARK)
    assert drawn[28, 45].tolist() == [90, 90, 90]  # inside
    assert drawn[50, 100].tolist() == [90, 90, 90]  # outside


def test_times_and_shares_read_well() -> None:
    assert clock_text(0.0) == "00:00.0"
    assert clock_text(75.26) == "01:15.3"
    assert clock_text(59.97) == "01:00.0"
    assert NewThings(3, 12.5, (np.ones((1, 1), bool),), 0.004).text == "00:12.5  1 new area, 0.4 % of the picture"


# the configuration


def tried(camera: str, source: SourceConfig, **fields: object) -> Tried:
    usual = {"credentials": None, "weights": "standin", "has_depth": True, "stream_fps": 25.0, "machine_fps": 6.4}
    return Tried(camera=camera, source=source, notes=("h264",), **{**usual, **fields})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rtsp://10.0.0.7:554/Hall 2", "hall-2"),
        ("rtsp://10.0.0.7:554/live/main.sdp?token=abc", "main"),
        ("http://10.0.0.7/", "10"),
        ("clips/Dock_03.mp4", "dock_03"),
        ("simulated:8", "simulated-8"),
        ("/data/Übersicht.mp4", "bersicht"),
        ("___.mp4", "camera"),
        ("x" * 100 + ".mp4", "x" * 63),
    ],
)
def test_a_camera_gets_a_name_that_the_configuration_takes(tmp_path: Path, text: str, name: str) -> None:
    assert camera_id(text) == name
    write_configuration(tmp_path, tried(name, SourceConfig(url="rtsp://h/a")))
    assert list(load_config(tmp_path).cameras) == [name]


def test_a_cameras_configuration_is_valid_and_asks_for_half_of_the_machine(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("HALL_LOGIN", "admin:secret-7")
    source = SourceConfig(url="rtsp://10.0.0.7/hall", transport="udp", credentials="argument")
    path = write_configuration(tmp_path, tried("hall", source, credentials="HALL_LOGIN"))
    validate(tmp_path, measure=False)
    assert "hall: rtsp://10.0.0.7/hall, 3.2 fps" in capsys.readouterr().out
    config = load_config(tmp_path)
    assert config.cameras["hall"].source.transport == "udp"
    assert config.cameras["hall"].heads == ("embedding", "depth")
    secret = config.cameras["hall"].source.credentials
    assert secret is not None
    assert config.secrets.resolve(secret) == "admin:secret-7"
    assert path.read_text().startswith("# h264\n")
    assert not any("secret-7" in file.read_text() for file in tmp_path.rglob("*.yaml"))


def test_the_configuration_of_a_file_names_it_from_anywhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.mp4").write_bytes(b"")
    source = SourceConfig(file="a b.mp4")
    write_configuration(tmp_path / "out", tried("a-b", source, has_depth=False, stream_fps=None))
    monkeypatch.chdir("/")
    validate(tmp_path / "out", measure=False)
    camera = load_config(tmp_path / "out").cameras["a-b"]
    assert camera.source.file == str(tmp_path / "a b.mp4")
    assert camera.sample.policy == "every_frame"
    assert camera.heads == ("embedding",)


def test_what_is_written_as_a_hint_is_valid_once_it_is_uncommented(tmp_path: Path) -> None:
    source = SourceConfig(url="rtsp://10.0.0.7/hall")
    path = write_configuration(tmp_path, tried("hall", source))
    lines = path.read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("# view:"))
    path.write_text("\n".join([*lines[:start], *(line.removeprefix("# ") for line in lines[start:])]))
    assert list(load_config(tmp_path).cameras["hall"].rules) == ["somebody_there", "something_near"]
    validate(tmp_path, measure=False)
    unposed = [
        line for line in path.read_text().splitlines() if not line.strip().startswith(("view:", "something_near:"))
    ]
    path.write_text("\n".join(unposed))
    assert list(load_config(tmp_path).cameras["hall"].rules) == ["somebody_there"]
    validate(tmp_path, measure=False)


# mistakes


def test_webcams_are_known_by_their_device() -> None:
    assert webcam_device("webcam") == webcam_device("/dev/video0") == webcam_device("webcam:0") == Path("/dev/video0")
    assert webcam_device("webcam:2") == Path("/dev/video2")
    assert webcam_device("clip.mp4") is None
    assert webcam_device("/dev/videos/clip.mp4") is None


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nothing.mp4", {}, r"nothing\.mp4: expected a file, an address or simulated:SEED, got"),
        ("/dev/video97", {}, r"could not open /dev/video97: expected video, got FileNotFoundError"),
        ("rtsp://user:pw@host/a", {}, "expected no user and password in the address"),
        ("simulated:1", {"name": "Dock 3"}, "--name: expected small letters"),
        ("text.mp4", {}, "could not open"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, monkeypatch, source: str, options: dict, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=message):
        try_source(source, out=tmp_path / "out", weights="random", **options)
    assert not (tmp_path / "out").exists()


def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path, capsys) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((240, 424, 3), 90, np.uint8))
    try_source(str(tmp_path / "one.png"), out=tmp_path / "out", weights="random")
    said = capsys.readouterr().out
    assert "too few frames to say" in said
    assert "too short" in said
    assert (tmp_path / "out/one/pca.jpg").is_file()

"""`main.py commission` in a real browser: everything is drawn with the mouse, a vehicle drives in, and what was saved
runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from operators.heads.shipped import ASSETS
from operators.scene.residuals import MeasuredMetres
from pipeline.cli.drive_in.pictures import simulated
from pipeline.config.loader import load_config
from pipeline.config.readiness import check_ready
from pipeline.sources.simulated import dock_for, frame_at, pose_for
from tests.e2e.pipeline_process import ROOT
from tests.floor_scenes import SIZE, seen

pytestmark = pytest.mark.ray

SEED, FPS = 9, 2
EMPTY_SECONDS, STOP_SECONDS, STOP_METRES = 3, 4, 4.0
NUM_FRAMES = FPS * (EMPTY_SECONDS + STOP_SECONDS)
HEAD = ASSETS / "depth-be62014196720a8d1f07c573.safetensors"
"""Fitted at another pose: fitting one here would take minutes."""
BAY = [(-1.5, 3.0), (1.5, 3.0), (1.5, 8.0), (-1.5, 8.0)]
STOP = [(-1.8, 3.2), (1.2, 3.2), (1.2, 5.7), (-1.8, 5.7)]
ZONE = [(0.2, 0.5), (0.7, 0.5), (0.8, 0.9), (0.1, 0.9)]
CLICK_PX = 0.7
POSE = pose_for(SEED)
SITE = """\
version: 1
model: {{backbone: dinov2_vits14, weights: standin, shapes: [224x392]}}
heads: {{depth: {{kind: depth, checkpoint: {folder}/head.safetensors}}}}
sinks: {{jsonl: {{path: {folder}/results}}}}
runtime: {{ray: auto, state_dir: {folder}/state, admission: degrade}}
"""
expect.set_options(timeout=60_000)
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser(missing_server) -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        missing_server(f"no browser: expected one of {', '.join(BROWSERS)} on PATH")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated dock before anybody comes, and then a forklift that stands still."""
    path = tmp_path_factory.mktemp("clips") / "dock.mp4"
    scene, schedule, _ = dock_for(SEED)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        (video.height, video.width), video.pix_fmt = SIZE, "yuv420p"
        empty = (frame_at(scene, schedule, number / FPS).rgb for number in range(FPS * EMPTY_SECONDS))
        for rgb in chain(empty, simulated(SEED, "forklift-7", STOP_METRES, STOP_SECONDS)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(video.encode())
    return path


class Hand:
    """A mouse that hits a place in the picture to a pixel or so."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._rng = np.random.default_rng(4)

    def at(self, x: float, y: float) -> tuple[float, float]:
        box = self._page.locator("#drawing").bounding_box()
        assert box is not None
        off_x, off_y = self._rng.normal(0, CLICK_PX, 2)
        return box["x"] + (x + off_x / SIZE[1]) * box["width"], box["y"] + (y + off_y / SIZE[0]) * box["height"]

    def draw(self, what: str, points: list[tuple[float, float]]) -> None:
        self._page.get_by_role("button", name=what, exact=True).click()
        for x, y in points:
            self._page.mouse.click(*self.at(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._page.mouse.move(*self.at(*start))
        self._page.mouse.down()
        self._page.mouse.move(*self.at(*end), steps=3)
        self._page.mouse.up()


@pytest.fixture(scope="module")
def drawn(browser: Browser, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose camera somebody has just set up."""
    site = tmp_path_factory.mktemp("drawn") / "site"
    site.mkdir()
    (site / "site.yaml").write_text(SITE.format(folder=site))
    shutil.copyfile(HEAD, site / "head.safetensors")
    command = [sys.executable, "main.py", "commission", str(site), "gate", "--source", str(clip), "--every", "0.2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        draw(browser, opened(process), [seen(POSE, BAY), seen(POSE, STOP)])
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "written: " in said
    assert "to do: it watches for nothing yet" in said
    assert f"to do: teach the empty view a second light: python main.py scene learn {site} gate" in said
    return site


@pytest.mark.timeout(420)
def test_a_camera_is_drawn_with_the_mouse_and_saved(drawn: Path) -> None:
    found = load_config(drawn).cameras["gate"]
    assert found.view is not None
    assert abs(found.view.pitch - POSE.pitch) < 1
    assert abs(found.view.height / POSE.height - 1) < 0.05
    assert found.zones["apron"] == pytest.approx(np.array(ZONE), abs=0.01)
    assert list(found.zones) == ["apron"]
    ahead = [y for _, y in found.lines["edge"]]
    assert ahead == pytest.approx([4.0, 4.0], abs=0.2)
    assert found.lines["here"] == "here"
    assert len(found.privacy) == 1
    artefacts = drawn / "state" / "artefacts"
    assert (artefacts / "view" / "gate@1").is_file()
    metres = MeasuredMetres.from_bytes((artefacts / "metres" / "gate@3").read_bytes())
    ((line, known, vehicle),) = [(stop.line, stop.known_metres, stop.vehicle) for stop in metres.stops]
    assert (line, known, vehicle) == ("here", STOP_METRES, "forklift-7")
    assert abs(metres.stops[0].residual_metres) < 1.5
    assert metres.fingerprint


@pytest.mark.timeout(420)
def test_the_saved_camera_runs(drawn: Path, ray_address: str) -> None:
    check_ready(load_config(drawn))
    command = [sys.executable, "main.py", "run", str(drawn)]
    cluster = {**os.environ, "RAY_ADDRESS": ray_address}
    run = subprocess.run(command, cwd=ROOT, env=cluster, capture_output=True, text=True, timeout=400, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    results = [json.loads(line)["data"] for line in (drawn / "results" / "results.jsonl").read_text().splitlines()]
    assert len(results) == NUM_FRAMES
    assert all(each["camera"] == "gate" for each in results)


def opened(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if (found := re.search(r"http://127\.0\.0\.1:\d+/open\?token=\S+", line)) is not None:
            return found[0]
    raise AssertionError(f"ended before it served its page:\n{said}")


def draw(browser: Browser, address: str, bays: list[list[tuple[float, float]]]) -> None:
    """Everything that a person does, errors included."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(address)
    hand = Hand(page)
    expect(page.locator("#hint")).not_to_be_empty()

    for number, (bay, sizes) in enumerate(zip(bays, (("3", "5"), ("3", "2.5")), strict=True), start=1):
        hand.draw("Rectangle", bay)
        row = page.locator("#markings li").nth(number - 1)
        row.get_by_label("side 1–2").fill(sizes[0])
        row.get_by_label("side 2–3").fill(sizes[1])
        expect(page.locator("[data-step=pose]")).to_have_attribute("data-status", "done")
    expect(page.locator(".grid").first).to_be_attached()

    hand.draw("Zone", [*ZONE, ZONE[0]])
    page.get_by_label("Name of zone zone").fill("apron")
    page.keyboard.press("Enter")
    hand.drag(ZONE[0], (0.4, 0.3))
    expect(page.locator("[data-step=areas] .said")).to_contain_text("1 zone")
    page.get_by_role("button", name="Undo").click()

    row = seen_ahead(page)
    hand.draw("Line", [(0.3, row), (0.7, row)])
    page.get_by_label("Name of line line").fill("edge")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Line through the camera's foot").click()

    held: list[Route] = []

    def hold(route: Route) -> None:  # a slow machine: what is drawn is not there yet when somebody saves
        held.append(route)

    page.route("**/draft", hold)
    hand.draw("Zone", [(0.1, 0.1), (0.3, 0.3), (0.3, 0.1), (0.1, 0.3), (0.1, 0.1)])
    page.locator("#save").click()
    for route in held:
        route.continue_()
    page.unroute("**/draft")
    expect(page.get_by_role("alert")).to_contain_text("crosses itself")
    page.get_by_label("Delete zone zone").click()

    page.get_by_role("button", name="Privacy mask").click()
    for keys in ("Shift+ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):  # by the keyboard, from the middle
        page.keyboard.press(keys)
        page.keyboard.press(keys)
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("[data-step=areas] .said")).to_have_text("1 zone, 2 lines, 1 privacy mask")

    teach(page)
    drive_in(page)
    page.locator("#save").click()
    expect(page.locator("[data-step=file] .said")).to_contain_text("written")
    page.get_by_role("button", name="Finish").click()
    expect(page.locator("body")).to_have_text("Done. You may close this page.")
    assert all("400" in text for text in wrong), wrong  # what a browser logs of a refusal
    page.close()


def teach(page: Page) -> None:
    page.get_by_role("button", name="Measure").click()  # the order matters, and the page says so
    expect(page.get_by_role("alert")).to_contain_text("expected metres from the line to the vehicle's body")
    page.get_by_label("Stands at").fill(str(STOP_METRES))
    page.get_by_role("button", name="Measure").click()
    expect(page.locator("[data-step=drive_in] .said")).to_contain_text("learn the empty view first")
    page.get_by_label("Empty from").fill("0:00")
    page.locator("#empty-to").fill(f"0:0{EMPTY_SECONDS - 1}")
    page.get_by_role("button", name="Learn").click()
    expect(page.locator("[data-step=empty_view]")).to_have_attribute("data-status", "done", timeout=90_000)
    expect(page.locator("[data-step=empty_view] .said")).to_contain_text("A second light is still asked for")


def drive_in(page: Page) -> None:
    """The same stop twice; the first one is taken out again."""
    page.locator("#stop-line").select_option("here")
    page.get_by_label("Stands from").fill(f"0:0{EMPTY_SECONDS}")
    page.locator("#stop-to").fill(f"0:0{EMPTY_SECONDS + STOP_SECONDS}")
    for vehicle in ("wrong", "forklift-7"):
        page.get_by_label("Vehicle").fill(vehicle)
        page.get_by_role("button", name="Measure").click()
        expect(page.locator("#stops tbody")).to_contain_text(vehicle, timeout=90_000)
    expect(page.locator("#stops tbody tr")).to_have_count(2)
    page.get_by_label(f"Forget the stop of wrong at {STOP_METRES:.2f} m").click()
    expect(page.locator("#stops tbody tr")).to_have_count(1)
    expect(page.locator("[data-step=drive_in] .said")).to_contain_text("jitter")


def seen_ahead(page: Page) -> float:
    """Where the page's own grid has 4 m, as a share of the picture's height."""
    label = page.locator("text.grid-label", has_text=re.compile("^4 m$"))
    return float(label.get_attribute("y") or "nan") / SIZE[0]

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.cli import gpu_check
from pipeline.control.actors.device import choose_device

ROOT = Path(__file__).resolve().parents[4]


def test_a_cpu_needs_no_reason():
    assert (choose_device(wants_gpu=False).kind, choose_device(wants_gpu=False).reason) == ("cpu", "")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand: nothing to fall back from")
def test_without_a_gpu_the_wish_for_one_becomes_a_cpu_and_a_reason():
    device = choose_device(wants_gpu=True)
    assert device.kind == "cpu"
    assert "no CUDA device" in device.reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand: gpu-check would check it")
def test_gpu_check_without_a_gpu_is_one_sentence_and_exit_1():
    done = subprocess.run(
        [sys.executable, "main.py", "gpu-check"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "no GPU: nothing was checked" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_what_gpu_check_runs_on_a_gpu_runs_on_a_cpu_in_its_place(monkeypatch, capsys):
    engine = gpu_check._engine("cpu", "fp32")
    monkeypatch.setattr(gpu_check, "_engine", lambda *_: engine)
    monkeypatch.setattr(gpu_check, "CAMERA_SECONDS", 1)
    assert gpu_check._parity()
    assert gpu_check._camera()
    assert "camera on cuda: 5 frames" in capsys.readouterr().out

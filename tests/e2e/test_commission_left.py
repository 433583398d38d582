"""`main.py commission` that is left by Ctrl-C before anything was saved."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.clips import make_clip
from tests.e2e.pipeline_process import ROOT
from tests.e2e.test_commission import opened


def test_ctrl_c_leaves_everything_as_it_was(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "dock.mp4", 12)
    command = ["env", "--default-signal=INT", sys.executable, "main.py"]  # a suite in the background ignores SIGINT
    command += ["commission", str(tmp_path / "site"), "gate", "--source", str(clip)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    opened(process)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "nothing was written" in said
    assert "Traceback" not in said
    assert not (tmp_path / "site").exists()

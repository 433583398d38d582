import subprocess
import sys

import pytest

from pipeline.clock import SystemClock
from pipeline.control.leases import LeaseBook, StateLock
from pipeline.errors import PipelineError


class StoppedClock(SystemClock):
    def __init__(self, wall_ns):
        self.now = wall_ns

    def wall_ns(self):
        return self.now


def test_leases_rise_over_restarts_even_when_the_clock_goes_back(tmp_path):
    clock = StoppedClock(10_000 * 10**6)
    first = LeaseBook(tmp_path / "leases.json", clock).next_of(["dock-03"])["dock-03"]
    clock.now = 5 * 10**6
    second = LeaseBook(tmp_path / "leases.json", clock).next_of(["dock-03"])["dock-03"]
    assert (first, second) == (10_000, 10_001)


def test_a_damaged_file_is_one_clear_error(tmp_path):
    (tmp_path / "leases.json").write_text("[1, 2")
    with pytest.raises(PipelineError, match=r"leases\.json is damaged"):
        LeaseBook(tmp_path / "leases.json", SystemClock())


def test_a_second_pipeline_on_the_same_state_is_refused_and_names_the_first(tmp_path):
    code = (
        "import sys; from pathlib import Path; from pipeline.control.leases import StateLock; "
        "lock = StateLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=-1, stdout=-1, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PipelineError, match=f"in use by process {holder.pid}"):
            StateLock(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    StateLock(tmp_path).release()  # the kernel gave it back

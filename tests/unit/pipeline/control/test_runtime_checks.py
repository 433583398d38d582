"""What a start says and refuses about its state directory, before Ray or any actor is there."""

from __future__ import annotations

import pytest

from pipeline.cli.app import UserError
from pipeline.cli.run import run
from pipeline.clock import SystemClock
from pipeline.config.loader import load_config
from pipeline.control.leases import StateLock
from pipeline.control.runtime import started
from pipeline.errors import PipelineError
from tests.fakes_publishers import dump, lived

SITE = """\
version: 1
site: {{name: yard, timezone: Etc/UTC}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [224x392]}}
cameras:
  gate: {{source: {{url: "rtsp://127.0.0.1:9/x"}}, heads: [embedding]}}
sinks: {{jsonl: {{path: {folder}/out}}}}
runtime: {{ray: local, publishers: 3, state_dir: {folder}/state}}
"""


def test_a_start_finishes_an_interrupted_move_and_then_looks_at_the_number_of_publishers(tmp_path):
    lived(tmp_path, 2).close()
    before, left = dump(tmp_path / "state"), tmp_path / "state/publishers-moved-to-2"
    left.mkdir()
    (tmp_path / "state/publish-1/publisher.sqlite").rename(left / "1.sqlite")
    (tmp_path / "site.yaml").write_text(SITE.format(folder=tmp_path))
    said = []
    config = load_config(tmp_path / "site.yaml")
    with pytest.raises(PipelineError) as caught, started(config, None, SystemClock(), said.append):
        pass
    assert caught.value.code == "publishers"
    assert "expected runtime.publishers: 2, got 3. Keep the number, or move the state: " in str(caught.value)
    assert str(caught.value).endswith(f"python main.py state move {tmp_path}/site.yaml --publishers 3")
    assert said == [f"{tmp_path}/state: a move to 2 publishers was interrupted at its end, and is finished now"]
    assert dump(tmp_path / "state") == before
    StateLock(tmp_path / "state").release()


def test_a_second_lock_on_the_same_state_is_refused_until_the_first_is_released(tmp_path):
    first = StateLock(tmp_path / "state")
    with pytest.raises(PipelineError, match="is in use by process") as caught:
        StateLock(tmp_path / "state")
    assert caught.value.code == "state_in_use"
    StateLock(tmp_path / "other").release()
    first.release()
    StateLock(tmp_path / "state").release()


def test_a_second_run_on_the_same_state_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE.format(folder=tmp_path))
    first = StateLock(tmp_path / "state")
    with pytest.raises(UserError, match="is in use by process") as caught:
        run(tmp_path / "site.yaml")
    first.release()
    assert (caught.value.exit_code, str(caught.value).count("\n")) == (3, 0)

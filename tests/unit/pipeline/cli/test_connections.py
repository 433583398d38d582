"""What `validate --probe` says of files that are shown turned."""

from pathlib import Path

import pytest

from pipeline.cli.connections import probe
from pipeline.config import load_config

ROOT = Path(__file__).parents[4]
FOOTAGE = ROOT.parent / "shared" / "data" / "robust"
CONFIG = """\
version: 1
sinks: {{jsonl: {{path: {folder}/out}}}}
cameras:
  plain: {{source: {{file: {root}/configs/clips/dock.mp4}}}}
{turned}
"""


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="no footage of turned cameras here")
def test_the_size_is_the_one_that_is_shown_not_the_one_that_is_coded(tmp_path):
    angles = (90, 180, 270)
    turned = "\n".join(f"  r{angle}: {{source: {{file: {FOOTAGE}/robust_decord_rot{angle}.mov}}}}" for angle in angles)
    (tmp_path / "c.yaml").write_text(CONFIG.format(folder=tmp_path, root=ROOT, turned=turned))
    answers = probe(load_config(tmp_path / "c.yaml"))
    assert all(each.is_good for each in answers)
    assert {camera: size for each in answers for camera, size in each.sizes.items()} == {
        "plain": (360, 640),
        "r90": (568, 320),
        "r180": (320, 568),
        "r270": (568, 320),
    }
    assert "h264, 568x320 (height x width), 30 fps declared" in [each.said for each in answers]

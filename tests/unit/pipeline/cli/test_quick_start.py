"""Commands that ask no model do not wait for torch, which takes seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import COMMANDS

WITH_TORCH = 42
ASK_A_MODEL = {
    "analyze",
    "bank",
    "commission",
    "demo",
    "drive-in",
    "fit",
    "gpu-check",
    "models",
    "run",
    "scene",
    "try",
}


def imports_torch(script: str, *arguments: str) -> bool:
    script += "\nsys.exit(42 * ('torch' in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", f"import sys\n{script}", *arguments], check=False)
    assert ran.returncode in {0, WITH_TORCH}
    return ran.returncode == WITH_TORCH


def test_commands_that_ask_no_model_import_no_torch():
    modules = [each.target.partition(":")[0] for each in COMMANDS if each.name not in ASK_A_MODEL]
    assert not imports_torch("\n".join(f"import {module}" for module in modules))


@pytest.mark.parametrize(
    "written",
    [
        "version: 1\n",
        """
version: 1
model: {backbone: dinov2_vits14, weights: random}
cameras:
  gate: {source: {file: not_there.mp4}, heads: [embedding]}
sinks: {jsonl: {path: results.jsonl}}
runtime: {ray: local, state_dir: state}
""",
    ],
    ids=["a mistake", "a file that is not there"],
)
def test_what_is_wrong_is_told_without_torch(written: str, tmp_path: Path):
    path = tmp_path / "cameras.yaml"
    path.write_text(written)
    script = """
from pathlib import Path
from pipeline.cli.app import UserError
from pipeline.cli.validate import validate
try:
    validate(Path(sys.argv[1]), measure=False)
except UserError as error:
    assert "cameras" in str(error), error
else:
    raise AssertionError"""
    assert not imports_torch(script, str(path))

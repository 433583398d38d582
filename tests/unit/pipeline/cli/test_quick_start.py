"""Commands that ask no model do not wait for torch, which takes seconds to import."""

from __future__ import annotations

import subprocess
import sys

from pipeline.cli.app import COMMANDS

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
    script += "\nsys.exit('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", f"import sys\n{script}", *arguments], check=False).returncode == 1


def test_commands_that_ask_no_model_import_no_torch():
    modules = [each.target.partition(":")[0] for each in COMMANDS if each.name not in ASK_A_MODEL]
    assert not imports_torch("\n".join(f"import {module}" for module in modules))


def test_a_mistake_and_a_file_that_is_not_there_are_told_without_torch(tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text("version: 1\n")
    script = """
from pathlib import Path
from pipeline.cli.app import UserError
from pipeline.cli.validate import validate
try:
    validate(Path(sys.argv[1]), measure=False)
except UserError:
    pass"""
    assert not imports_torch(script, str(path))

import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pipeline.cli.app import COMMANDS, build


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_of_the_table_loads_and_explains_itself(command):
    loaded = get_command(build(command.name))
    (found,) = loaded.commands.values()
    assert found.name == command.name
    assert found.help or found.commands
    result = CliRunner().invoke(build(command.name), [command.name, "--help"])
    assert result.exit_code == 0, result.output


def test_help_lists_every_command_without_loading_one():
    code = (
        "import sys; from pipeline.cli.app import build; build(); print('torch' in sys.modules, 'ray' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False False\n"
    listed = CliRunner().invoke(build(), ["--help"]).output
    assert all(f"  {command.name} " in listed and command.summary[:30] in listed for command in COMMANDS)


def test_a_wrong_name_is_an_error_of_usage():
    assert CliRunner().invoke(build("rnu"), ["rnu"]).exit_code == 2

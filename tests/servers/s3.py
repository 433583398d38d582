"""A store that speaks S3, for tests: Versity's gateway over a folder, built once from its Go module outside the tree.

`python -m tests.servers.s3` builds it (`make test-s3` does so first): two minutes of a core and some more, and 45 MB.
"""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.local.child import ChildServer, ServerError, free_port

if TYPE_CHECKING:
    from types import ModuleType

_CHECK_TOOLS = Path(__file__).resolve().parents[2] / "deploy" / "check_tools.py"
_MODULE, _VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
_HEALTH = "/health"
ACCESS_KEY, SECRET_KEY = "AKTESTSITE", "not-to-be-told-1234"


class S3Server(ChildServer):
    """Buckets are folders in `folder / "buckets"`, objects their files; one account may do everything."""

    def __init__(self, folder: Path) -> None:
        """It is not started.

        Raises:
            ServerError: the program is not here; it is not built by the way.
        """
        tools = _tools()
        program: Path = _tool(tools).cached
        if not program.is_file():
            raise ServerError("no S3 server: expected versitygw built. Run `make test-s3`, which builds it (needs Go)")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.buckets = folder / "buckets"
        self.buckets.mkdir(parents=True, exist_ok=True)
        sidecar = folder / "attributes"  # beside the files: not every file system has extended attributes
        sidecar.mkdir(exist_ok=True)
        keys = {"ROOT_ACCESS_KEY_ID": ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
        command = [str(program), "--port", f"127.0.0.1:{self.port}", "--health", _HEALTH]
        command += ["posix", "--sidecar", str(sidecar), str(self.buckets)]
        self._log = folder / "s3.log"
        super().__init__(command, self._answers, self._log, environment=keys)

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def log(self) -> str:
        """A line for each request: `TIME | vgw | STATUS | … | METHOD | PATH | …`."""
        return self._log.read_text(encoding="utf-8")

    def bucket(self, name: str) -> Path:
        """Makes one; its folder, in which the files are its objects."""
        found = self.buckets / name
        found.mkdir()
        return found

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{_HEALTH}", timeout=1.0) as answer:
                return answer.status == HTTPStatus.OK
        except OSError:
            return False


def _tools() -> ModuleType:
    """What builds tools from Go modules; `deploy` is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location("check_tools", _CHECK_TOOLS)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # its dataclasses look themselves up
    spec.loader.exec_module(found)
    return found


def _tool(tools: ModuleType) -> Any:
    return tools.Tool("versitygw", _MODULE, _VERSION)


if __name__ == "__main__":
    tools = _tools()
    try:
        tools.have(_tool(tools))
    except tools.ToolError as error:
        sys.exit(f"error: {error}")

"""The real tools that `check.py` runs, built once from their published Go modules into a cache outside the tree.

python3 deploy/check_tools.py     builds what is missing; needs nothing but Go and Python
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CACHE = Path.home() / ".cache" / "dinostream" / "tools"


TRIES = 3
"""Modules come from many requests to a proxy, and one that fails fails all."""
PAUSE_SECONDS = 10.0


class ToolError(Exception):
    """A tool cannot be had; the text says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of a Go module."""

    name: str
    package: str
    version: str
    tags: str = ""
    is_taken_from_path: bool = False
    """Whether one that is installed does as well, whatever its version."""

    @property
    def cached(self) -> Path:
        return CACHE / f"{self.name}-{self.version}"

    @property
    def installed(self) -> Path | None:
        found = shutil.which(self.name) if self.is_taken_from_path else None
        return None if found is None else Path(found)

    @property
    def is_here(self) -> bool:
        return self.installed is not None or self.cached.is_file()


HELM = Tool("helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0")
KUBECONFORM = Tool("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0")
PROMTOOL = Tool(
    "promtool",
    "github.com/prometheus/prometheus/cmd/promtool",
    "v0.316.0",
    tags="remove_all_sd,enable_kubernetes_sd",  # half the time to build: no clouds but Kubernetes
    is_taken_from_path=True,
)
TOOLS = (HELM, KUBECONFORM, PROMTOOL)

KUBERAY = ("github.com/ray-project/kuberay/ray-operator", "v1.5.0")
"""Its module holds the CRDs."""

KUBECTL = ("k8s.io/kubectl", "v0.37.0")
"""Its module holds the schemas of Kubernetes itself; the one that helm is built with."""


def is_go_here() -> bool:
    """Whether what is not cached can be built."""
    return shutil.which("go") is not None


def have(tool: Tool) -> Path:
    """Path of the tool; builds it where it is not cached. Of two processes that ask at once, one builds.

    Raises:
        ToolError: it is not here and cannot be built.
    """
    if tool.installed is not None:
        return tool.installed
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{tool.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tool.cached.is_file():
            _build(tool)
    return tool.cached


def module(path: str, version: str) -> Path:
    """Folder of a module's files.

    Raises:
        ToolError: it cannot be downloaded.
    """
    done = _go(["mod", "download", "-json", f"{path}@{version}"], f"module {path} {version} was not downloaded")
    return Path(json.loads(done)["Dir"])


def _build(tool: Tool) -> None:
    print(f"building {tool.name} {tool.version} into {CACHE}, once", flush=True)
    fresh = CACHE / f"{tool.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    arguments = ["install", "-trimpath", "-ldflags=-s -w", f"-tags={tool.tags}", f"{tool.package}@{tool.version}"]
    _go(arguments, f"{tool.name} {tool.version} was not built", {"GOBIN": str(fresh), "CGO_ENABLED": "0"})
    (fresh / tool.name).replace(tool.cached)
    fresh.rmdir()


def _go(arguments: list[str], what: str, more: dict[str, str] | None = None) -> str:
    if not is_go_here():
        msg = f"{what}: go is not on PATH. Install Go, or see docs/deploy.md"
        raise ToolError(msg)
    command = ["nice", "-n", "10", "go", *arguments]
    environment = {**os.environ, **(more or {})}
    said = ""
    for left in reversed(range(TRIES)):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CACHE, env=environment)
        if done.returncode == 0:
            return done.stdout
        said = f"`{' '.join(command[3:])}` failed: {done.stderr.strip()[-400:]}"
        if left:
            print(f"{what}: {said}; trying again", flush=True)
            time.sleep(PAUSE_SECONDS)
    msg = f"{what}: {said}"
    raise ToolError(msg)


def main() -> int:
    try:
        for tool in TOOLS:
            have(tool)
    except ToolError as error:
        print(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

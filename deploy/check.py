"""`make check-deploy`: chart, alerts and board, checked by the tools that will read them.

python deploy/check.py            check
python deploy/check.py --write    write what the chart makes to tests/golden/chart, to be read and committed
python deploy/check.py --build    only build the tools
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import check_schemas
import yaml
from check_tools import HELM, KUBECONFORM, PROMTOOL, TOOLS, ToolError, have, is_go_here

DEPLOY = Path(__file__).resolve().parent
CHART = DEPLOY / "chart"
GOLDEN = DEPLOY.parent / "tests" / "golden" / "chart"
CAMERAS = f"--set-file=cameras={CHART / 'ci' / 'cameras.yaml'}"
RENDERINGS = {
    "least": ["--values", str(CHART / "ci" / "least-values.yaml"), CAMERAS],
    "everything": ["--values", str(CHART / "ci" / "everything-values.yaml")],
}
REFUSED = {
    "image.repository=": "image.repository is empty",
    "existingConfigMap=plant": "cameras and existingConfigMap are both set",
    "cameras=": "there are no cameras",
    "cameras=a: [": "cameras is not YAML",
    "http.port=9999": "runtime.http.bind: expected 0.0.0.0:9999",
    "workers.cpu.min=9": "workers.cpu: expected min up to max",
    "workers.cpu.min=0": "no node has a core at start",
    "workers.cpu.ram=4Gi": "additional properties 'ram' not allowed",
    "workers.cpu.memory=4 GB": "'/workers/cpu/memory'",
    "ray.auth.mode=none": "value must be one of 'token', 'disabled'",
    "autoscaling.idleSeconds=soon": "got string, want integer",
    "networkPolicy.httpFrom=everybody": "got string, want array",
}
"""A value that is set on top of the least ones, and what must be said of it."""


class CheckError(Exception):
    """A check failed; the text is what the tool said."""


def main() -> int:
    if not is_go_here() and not all(tool.is_here for tool in TOOLS):
        print("not checked: chart, alerts and board (helm, kubeconform, promtool), which need `go` on PATH to be built")
        return int(os.environ.get("REQUIRE_SERVERS") == "1")
    try:
        for tool in TOOLS:
            have(tool)
        if "--write" in sys.argv:
            for name, arguments in RENDERINGS.items():
                (GOLDEN / f"{name}.yaml").write_text(rendered(arguments), encoding="utf-8")
        else:
            check_chart()
            check_refusals()
            check_prometheus()
    except ToolError as error:  # no proxy of modules here: that says nothing about the chart
        print(f"not checked further: {error}")
        return int(os.environ.get("REQUIRE_SERVERS") == "1")
    except CheckError as error:
        print(f"error: {error}")
        return 1
    return 0


def check_chart() -> None:
    schemas = f"{check_schemas.folder()}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    for name, arguments in RENDERINGS.items():
        run([have(HELM), "lint", "--strict", CHART, *arguments])
        text = rendered(arguments)
        run([have(KUBECONFORM), "-strict", "-schema-location", schemas, "-"], text)
        if text != (GOLDEN / f"{name}.yaml").read_text(encoding="utf-8"):
            msg = (
                f"the chart makes something else than tests/golden/chart/{name}.yaml. "
                "Run `python deploy/check.py --write`, read the difference and commit it"
            )
            raise CheckError(msg)
    print(f"chart: {len(RENDERINGS)} sets of values linted, rendered, and right by the CRD of KubeRay")


def check_refusals() -> None:
    for value, said in REFUSED.items():
        arguments = [each for each in RENDERINGS["least"] if each != CAMERAS or not value.startswith("cameras=")]
        arguments += ["--set", value]
        done = subprocess.run(template(arguments), capture_output=True, text=True, check=False)
        if done.returncode == 0 or said not in done.stderr:
            msg = f"--set {value!r}: expected to be refused with {said!r}, got {done.stderr.strip() or 'a chart'}"
            raise CheckError(msg)
    print(f"values: {len(REFUSED)} bad ones refused")


def check_prometheus() -> None:
    promtool, folder = have(PROMTOOL), DEPLOY / "prometheus"
    run([promtool, "check", "rules", folder / "rules.yaml"])
    run([promtool, "test", "rules", folder / "rules_test.yaml"])
    run([promtool, "check", "config", DEPLOY / "prometheus.yml"])
    try:
        run([promtool, "check", "config", folder / "kubernetes.yaml"])
    except CheckError as error:
        if PROMTOOL.installed is None or "field kubernetes_sd_configs not found" not in str(error):
            raise
        print(f"not checked: deploy/prometheus/kubernetes.yaml, since {promtool} knows no Kubernetes")
    expressions = list(board_expressions())
    rules = [{"record": f"board:{n}", "expr": each} for n, each in enumerate(expressions)]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}, file)
        file.flush()
        run([promtool, "check", "rules", "--lint=none", file.name])
    print(f"prometheus: alerts tested; {len(expressions)} expressions of the board understood")


def board_expressions() -> Iterator[str]:
    """What the board asks, with Grafana's own variables filled in."""
    board = json.loads((DEPLOY / "grafana" / "dinostream.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield re.sub(r"\$\w+", ".*", target["expr"].replace("$__rate_interval", "5m"))


def rendered(arguments: list[str]) -> str:
    return run(template(arguments))


def template(arguments: list[str]) -> list[str]:
    return [str(have(HELM)), "template", "plant", str(CHART), *arguments]


def run(command: list[Path | str] | list[str], text: str | None = None) -> str:
    words = [str(each) for each in command]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        msg = f"`{Path(words[0]).name} {' '.join(words[1:])}` says\n{done.stdout}{done.stderr}".rstrip()
        raise CheckError(msg)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

"""JSON Schemas for kubeconform, made from KubeRay's own CRD and from Kubernetes' own description of its API."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import check_tools
import yaml

KINDS = {"ConfigMap": "", "PersistentVolumeClaim": "", "Service": "", "NetworkPolicy": "networking.k8s.io"}
"""Kinds of version v1 that the chart makes besides RayCluster, and their groups."""


def folder() -> Path:
    """Where the schemas lie, as kubeconform looks for them: `KINDGROUP-VERSION.json`. Made once.

    Raises:
        ToolError: a module cannot be had.
    """
    made = check_tools.CACHE / f"schemas-kuberay{check_tools.KUBERAY[1]}-kubectl{check_tools.KUBECTL[1]}"
    if (made / "done").is_file():
        return made
    made.mkdir(parents=True, exist_ok=True)
    crd = check_tools.module(*check_tools.KUBERAY) / "config/crd/bases/ray.io_rayclusters.yaml"
    _write(made / "raycluster-ray-v1.json", _of_crd(yaml.safe_load(crd.read_text(encoding="utf-8")), "v1"))
    swagger = check_tools.module(*check_tools.KUBECTL) / "testdata/openapi/swagger.json"
    definitions = json.loads(swagger.read_text(encoding="utf-8"))["definitions"]
    for kind, group in KINDS.items():
        suffix = f"-{group.split('.')[0]}-v1" if group else "-v1"
        _write(made / f"{kind.lower()}{suffix}.json", _of_swagger(definitions, kind, group))
    (made / "done").touch()
    return made


def _of_crd(crd: dict[str, Any], version: str) -> Any:
    (found,) = [each for each in crd["spec"]["versions"] if each["name"] == version]
    return _strict(found["schema"]["openAPIV3Schema"])


def _of_swagger(definitions: dict[str, Any], kind: str, group: str) -> Any:
    wanted = {"group": group, "kind": kind, "version": "v1"}
    (name,) = [
        each for each, schema in definitions.items() if wanted in schema.get("x-kubernetes-group-version-kind", ())
    ]
    used: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in used:
            used[each] = _strict(definitions[each])
            waiting += re.findall(r'"#/definitions/([^"]+)"', json.dumps(used[each]))
    return {"$ref": f"#/definitions/{name}", "definitions": used}


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuses fields that are not described, which a server would drop in silence, and allows `80` or `"http"`."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    strict = {key: value for key, value in schema.items() if key != "format"}
    if "properties" in schema:
        strict["properties"] = {name: _strict(each) for name, each in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            strict[key] = _strict(schema[key])
    return strict


def _write(path: Path, schema: Any) -> None:
    path.write_text(json.dumps(schema), encoding="utf-8")

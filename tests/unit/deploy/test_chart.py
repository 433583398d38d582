"""What the chart makes fits the program. `tests/golden/chart` is what it makes; `make check-deploy` keeps it true."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.cli.run import DRAIN_SECONDS
from pipeline.config.loader import load_config
from pipeline.control.changes.file_watch import FileWatch
from pipeline.control.cluster import NODE_SETTINGS, PLACE_LABEL, STATE_RESOURCE
from pipeline.control.leases import StateLock
from pipeline.control.serving.http import build_app
from pipeline.control.snapshot import PipelineSnapshot

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy" / "chart"
GOLDEN = ROOT / "tests" / "golden" / "chart"
RENDERINGS = ("least", "everything")


def made(rendering, kind):
    documents = yaml.safe_load_all((GOLDEN / f"{rendering}.yaml").read_text())
    return [each for each in documents if each and each["kind"] == kind]


def cluster(rendering):
    (found,) = made(rendering, "RayCluster")
    return found["spec"]


def pods(rendering):
    spec = cluster(rendering)
    return [spec["headGroupSpec"]["template"]["spec"], *(g["template"]["spec"] for g in spec["workerGroupSpecs"])]


def containers(rendering):
    return [container for pod in pods(rendering) for container in pod["containers"]]


def container(rendering, name):
    (found,) = [each for each in containers(rendering) if each["name"] == name]
    return found


def environment(container):
    return {each["name"]: each.get("value") for each in container["env"]}


def mounts(container):
    return {each["mountPath"]: each["name"] for each in container["volumeMounts"]}


def test_the_chart_has_the_environment_that_the_code_sets_before_ray():
    assert yaml.safe_load((CHART / "files" / "ray-environment.yaml").read_text()) == NODE_SETTINGS


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_every_container_has_that_environment_and_the_token(rendering):
    autoscaler = cluster(rendering)["autoscalerOptions"]
    for each in containers(rendering):
        assert NODE_SETTINGS.items() <= environment(each).items(), each["name"]
    for each in [*containers(rendering), autoscaler]:
        assert environment(each)["RAY_AUTH_MODE"] == "token"
        (token,) = [entry for entry in each["env"] if entry["name"] == "RAY_AUTH_TOKEN"]
        assert "secretKeyRef" in token["valueFrom"]


def test_a_camera_can_find_its_login_where_it_is_read():
    names = {"DOCK_LOGIN", "STATUS_TOKEN"}
    for each in containers("everything"):
        assert names <= set(environment(each))
        assert mounts(each)["/run/secrets/pager"].startswith("secret-")
        assert not any(environment(each)[name] for name in names), "the value itself stands in the pod"


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_nothing_runs_as_root_or_may_become_it(rendering):
    (line,) = [line for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines() if "useradd" in line]
    user = int(re.search(r"--uid (\d+)", line)[1])
    for pod in pods(rendering):
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == user
    for each in [*containers(rendering), cluster(rendering)["autoscalerOptions"]]:
        security = each["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_the_state_lies_on_the_claim_of_the_node_that_has_the_resource(rendering):
    config = load_config(CHART / "ci" / "cameras.yaml")
    head, *workers = pods(rendering)
    parameters = cluster(rendering)["headGroupSpec"]["rayStartParams"]
    assert json.loads(parameters["resources"].strip("'")) == {STATE_RESOURCE: 1}
    (claimed,) = [each["name"] for each in head["volumes"] if "persistentVolumeClaim" in each]
    for each in head["containers"]:  # publishers run in Ray's container, the supervisor in the driver's
        (path,) = [path for path, name in mounts(each).items() if name == claimed]
        assert Path(config.runtime.state_dir).is_relative_to(path)
        assert Path(config.evidence.store).is_relative_to(path)
    assert not any("persistentVolumeClaim" in each for pod in workers for each in pod["volumes"])


def test_driver_and_ray_share_what_ray_needs():
    """Tried: in a process namespace of its own the driver is not let in."""
    head = pods("least")[0]
    ray, driver = head["containers"]
    assert head["shareProcessNamespace"] is True
    for path in ("/tmp/ray", "/dev/shm"):
        assert mounts(ray)[path] == mounts(driver)[path]
    assert (
        environment(driver)["RAY_ADDRESS"] == f"127.0.0.1:{cluster('least')['headGroupSpec']['rayStartParams']['port']}"
    )


def test_probes_ask_pages_that_there_are():
    app = build_app(lambda: PipelineSnapshot("lab", 0), frozenset(), None)
    pages = {route.path for route in app.routes}
    driver = container("least", "driver")
    port = load_config(CHART / "ci" / "cameras.yaml").runtime.http.bind.split(":")[1]
    assert {driver[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")} <= pages
    assert driver["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert driver["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert driver["ports"] == [{"name": "http", "containerPort": int(port)}]
    annotations = cluster("least")["headGroupSpec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == port
    assert annotations["prometheus.io/path"] in pages


def test_a_config_map_that_the_kubelet_replaces_is_a_change(tmp_path):
    """It mounts a link to a link to a folder, and moves the inner link."""
    (mount,) = [each for each in container("least", "driver")["volumeMounts"] if each["name"] == "cameras"]
    assert "subPath" not in mount, "a part of a volume is never replaced"
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "cameras.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("old")
    (tmp_path / "cameras.yaml").symlink_to("..data/cameras.yaml")
    watch = FileWatch(tmp_path / "cameras.yaml")
    assert not watch.has_changed()
    (tmp_path / "..fresh").symlink_to("new")
    (tmp_path / "..fresh").replace(tmp_path / "..data")
    assert any(watch.has_changed() for _ in range(3))
    assert not watch.has_changed()


def test_ray_is_asked_on_ports_that_it_was_given():
    given = cluster("least")["headGroupSpec"]["rayStartParams"]
    ports = {int(given["port"]), int(given["node-manager-port"])}
    for name in ("ray-head", "ray-worker"):
        asked = [
            container("least", name)[f"{kind}Probe"]["grpc"]["port"] for kind in ("startup", "liveness", "readiness")
        ]
        assert set(asked) <= ports


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_ray_outlives_the_drain_and_the_pod_outlives_ray(rendering, tmp_path):
    lock = StateLock(tmp_path / "state")
    (path,) = (tmp_path / "state").iterdir()
    lock.release()
    driver, ray = container(rendering, "driver"), container(rendering, "ray-head")
    drain = float(driver["args"][driver["args"].index("--drain") + 1])
    command = ray["lifecycle"]["preStop"]["exec"]["command"]
    wait = float(command[command.index("--wait") + 1])
    assert command[-2].endswith(f"/state/{path.name}"), "not the lock that a run holds"
    assert DRAIN_SECONDS <= drain < wait < pods(rendering)[0]["terminationGracePeriodSeconds"]
    assert pods(rendering)[0]["restartPolicy"] == "Always", "nobody starts the driver again"


def test_only_pods_of_the_cluster_reach_ray_and_others_reach_the_pages_if_named():
    (ray,) = made("least", "NetworkPolicy")
    own = {"matchLabels": {"ray.io/cluster": "plant-dinostream"}}
    assert ray["spec"] == {
        "podSelector": own,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": own}]}],
    }
    policies = {each["metadata"]["name"]: each["spec"] for each in made("everything", "NetworkPolicy")}
    assert policies["plant-dinostream-ray"] == ray["spec"]
    pages = policies["plant-dinostream-http"]
    assert pages["podSelector"]["matchLabels"] == {**own["matchLabels"], "ray.io/node-type": "head"}
    (rule,) = pages["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9090}]
    assert rule["from"], "an empty list is everybody"


def test_groups_of_workers_are_what_the_values_say():
    groups = {each["groupName"]: each for each in cluster("everything")["workerGroupSpecs"]}
    assert {name: (g["minReplicas"], g["maxReplicas"]) for name, g in groups.items()} == {
        "cpu": (2, 8),
        "gpu": (0, 2),
        "yard": (1, 2),
    }
    assert groups["yard"]["labels"] == {PLACE_LABEL: "yard"}
    (gpu,) = groups["gpu"]["template"]["spec"]["containers"]
    assert gpu["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert gpu["image"] == "registry.example/dinostream:cuda-1"
    assert "gpu" not in {each["groupName"] for each in cluster("least")["workerGroupSpecs"]}
    wanted = container("everything", "driver")["args"][0]
    assert wanted == "4", "two of cpu, one of yard, and the head's core"


def test_the_schema_knows_what_the_values_are_and_nothing_else():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(value, part, where):
        if "$ref" in part:
            part = schema["definitions"][part["$ref"].rsplit("/", 1)[1]]
        if not isinstance(value, dict) or "properties" not in part:
            return
        assert part["additionalProperties"] is False, where
        assert set(value) <= set(part["properties"]), where
        for name, each in value.items():
            compare(each, part["properties"][name], f"{where}.{name}")

    compare(values, schema, "values")
    assert set(schema["properties"]) == {*values, "global"}


def test_the_chart_is_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == version

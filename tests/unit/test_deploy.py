"""What can be said of `deploy/` without Docker: the files fit together and fit the program."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.config.loader import load_config

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def dockerfile():
    joined = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def test_every_file_that_compose_mounts_or_builds_from_exists(compose):
    named = set(compose["volumes"])
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in named or (DEPLOY / source).is_file(), f"{name} mounts {source}"
        if "build" in service:
            build = service["build"]
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
            assert build["target"] in {line[3] for line in dockerfile() if line[0] == "FROM" and len(line) > 3}


def test_services_that_are_waited_for_exist_and_can_say_that_they_are_healthy(compose):
    services = compose["services"]
    for name, service in services.items():
        for other, wish in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{other} never gets healthy"


def test_the_pipeline_reads_cameras_that_load_and_that_name_the_services_of_compose(compose):
    config = load_config(DEPLOY / "cameras.compose.yaml")
    services = set(compose["services"])
    assert config.sinks.redis.url.split("//")[1].split(":")[0] in services
    assert {broker.split(":")[0] for broker in config.sinks.kafka.brokers} <= services
    assert config.cameras["dock-03"].source.url.split("//")[1].split(":")[0] in services
    mounts = [volume.split(":")[1] for volume in compose["services"]["pipeline"]["volumes"]]
    assert dockerfile()[-1][0] != "CMD"  # the last stage inherits it
    (command,) = [line for line in dockerfile() if line[0] == "CMD"]
    assert any(mount in "".join(command) for mount in mounts)
    assert Path(config.runtime.state_dir).is_relative_to("/var/lib/dinostream"), "state must lie on the volume"


def test_the_drain_fits_into_the_time_that_compose_and_systemd_give(compose):
    from pipeline.cli.run import DRAIN_SECONDS

    assert float(compose["services"]["pipeline"]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    unit = (DEPLOY / "dinostream.service").read_text()
    (stop,) = [line.split("=")[1] for line in unit.splitlines() if line.startswith("TimeoutStopSec")]
    assert float(stop) > DRAIN_SECONDS


def test_every_file_that_the_image_copies_is_there_and_comes_from_a_stage_that_is():
    stages = {line[3] for line in dockerfile() if line[0] == "FROM" and len(line) > 3}
    copied = [line for line in dockerfile() if line[0] == "COPY"]
    assert copied
    for _, *parts in copied:
        if parts[0].startswith("--from="):
            assert parts[0].removeprefix("--from=") in stages
            continue
        for source in parts[:-1]:
            assert (ROOT / source).exists(), f"the image copies {source}"


def test_the_image_does_not_run_as_root():
    users = [line[1] for line in dockerfile() if line[0] == "USER"]
    assert users
    assert "root" not in users


def test_prometheus_scrapes_the_port_that_the_pipeline_serves(compose):
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    (target,) = [each for job in jobs for group in job["static_configs"] for each in group["targets"]]
    host, port = target.split(":")
    assert host in compose["services"]
    config = load_config(DEPLOY / "cameras.compose.yaml")
    assert config.runtime.http.bind.endswith(f":{port}")


def test_the_unit_starts_main_py_from_its_own_directory():
    lines = dict(line.split("=", 1) for line in (DEPLOY / "dinostream.service").read_text().splitlines() if "=" in line)
    words = lines["ExecStart"].split()
    assert words[1:3] == ["main.py", "run"]
    assert (ROOT / words[1]).is_file()
    assert words[0].startswith(lines["WorkingDirectory"] + "/.venv/")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_understands_the_unit(tmp_path):
    text = (DEPLOY / "dinostream.service").read_text().replace("/opt/dinostream/.venv/bin/python", "/bin/true")
    unit = tmp_path / "dinostream.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

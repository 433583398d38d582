"""`probe` and `publish` as a person calls them, against real servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from pipeline.cli.app import UserError
from pipeline.cli.publish import publish
from pipeline.local.child import ServerError
from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.sources.images import decode_image
from tests.clips import LIVE, make_clip, number_of
from tests.servers.apache_kafka import SecureKafka

ROOT = Path(__file__).resolve().parents[2]
CANARY = "c4n4ry@/:%&#"


def main(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "main.py", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "gate.mp4", 50, options=LIVE, size=(192, 320))


def test_probe_of_a_file(clip):
    ran = main("probe", clip, "--json")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["codec"] == "h264"
    assert report["size"] == [192, 320]
    assert report["declared_fps"] == report["measured_fps"] == 25.0
    assert report["keyframe_interval_seconds"] == 0.4
    assert report["clock"] == "container"
    assert report["num_frames"] == 50


@pytest.mark.rtsp
def test_probe_of_a_camera_tells_all_but_the_password(clip):
    with RtspServer({"admin": CANARY}) as server, RtspPublisher(clip, server.url("cam")):
        server.wait_until_live("cam")
        ran = main("probe", server.url("cam"), "--seconds", "3", "--credentials", "CAM", CAM=f"admin:{CANARY}")
        wrong = main("probe", server.url("cam"), "--credentials", "CAM", CAM="admin:c4n4ry-wrong")
    assert ran.returncode == 0, ran.stderr
    assert "h264" in ran.stdout
    assert "keyframe_interval_seconds  0.4" in ran.stdout
    assert wrong.returncode == 3
    assert "credentials" in wrong.stderr
    for text in (ran.stdout, ran.stderr, wrong.stdout, wrong.stderr):
        assert "c4n4ry" not in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "exit_code", "word"),
    [
        (("probe", "nix.mp4"), 3, "nix.mp4"),
        (("probe", "rtsp://user:c4n4ry@127.0.0.1/x"), 2, "--credentials"),
        (("probe", "gopher://host/x"), 2, "rtsp"),
        (("probe", "simulated:seven"), 2, "whole number"),
        (("probe", "pyproject.toml"), 3, "FFmpeg"),
        (("publish", "simulated:1", "--kafka", "127.0.0.1:1", "--topic", "t"), 3, "127.0.0.1:1"),
        (("publish", "simulated:1", "--topic", "t"), 2, "--kafka HOST:PORT"),
        (("publish", "simulated:1", "--topic", "t", "--kafka", "u:c4n4ry@127.0.0.1:1"), 2, "user and password"),
        (("publish", "simulated:1", "--topic", "t", "--kafka", "127.0.0.1:1", "--kafka-user", "u"), 2, "together"),
        (("publish", "simulated:1", "--kafka", "127.0.0.1:1", "--topic", "t", "--format", "bitstream"), 2, "file"),
    ],
)
def test_mistakes_are_one_sentence(arguments, exit_code, word):
    ran = main(*arguments)
    assert ran.returncode == exit_code, ran.stderr
    assert ran.stderr.startswith("error: ")
    assert word in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "c4n4ry" not in ran.stderr


def records(brokers, topic, count):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    while len(found) < count:
        record = consumer.poll(20)
        assert record is not None
        assert record.error() is None
        found.append(record)
    consumer.close()
    return found


@pytest.mark.kafka
def test_published_pictures_are_read_by_a_foreign_client(clip, kafka_brokers, prefix):
    topic = f"{prefix}.frames"
    target = ("--kafka", kafka_brokers, "--topic", topic)
    missing = main("publish", clip, *target, "--fast")
    assert missing.returncode == 3
    assert "--create" in missing.stderr
    ran = main("publish", clip, *target, "--fast", "--create", "--fps", "5", "--count", "6")
    assert ran.returncode == 0, ran.stderr
    found = records(kafka_brokers, topic, 6)
    assert [record.key() for record in found] == [b"gate"] * 6
    assert [number_of(decode_image(record.value())) for record in found] == [0, 5, 10, 15, 20, 25]
    assert dict(found[0].headers())["capture_ns"].isdigit()


@pytest.mark.kafka
def test_a_published_bitstream_is_the_file_s_own(clip, kafka_brokers, prefix):
    topic = f"{prefix}.video"
    ran = main(
        *("publish", clip, "--kafka", kafka_brokers, "--topic", topic, "--key", "dock"),
        *("--format", "bitstream", "--fast", "--create"),
    )
    assert ran.returncode == 0, ran.stderr
    assert "50 messages" in ran.stdout
    found = records(kafka_brokers, topic, 50)
    assert all(record.key() == b"dock" and record.value()[:3] in {b"\0\0\0", b"\0\0\1"} for record in found)


SITE = """
version: 1
secrets: {{broker: "${{env:RIGHT}}"}}
sinks: {{kafka: {{brokers: ["{brokers}"], security: {security}}}}}
cameras:
  dock-sim: {{source: {{simulated: dock, seed: 3}}}}
  gate: {{source: {{file: {clip}}}}}
  belt: {{source: {{kafka: {{topic: belt.frames}}}}}}
"""


@pytest.mark.kafka
def test_a_configured_camera_is_published_to_the_configured_brokers(clip, kafka_brokers, prefix, tmp_path):
    site, topic = tmp_path / "site.yaml", f"{prefix}.frames"
    site.write_text(SITE.format(brokers=kafka_brokers, security="{}", clip=clip))
    publish("dock-sim", config=site, topic=topic, count=2, create=True)
    publish("gate", config=site, topic=topic, fast=True, count=3, key="other")
    found = records(kafka_brokers, topic, 5)
    assert [record.key() for record in found] == [b"dock-sim"] * 2 + [b"other"] * 3
    assert decode_image(found[0].value()).shape == (360, 640, 3)
    assert [number_of(decode_image(record.value())) for record in found[2:]] == [0, 1, 2]
    with pytest.raises(UserError, match="did you mean 'gate'"):
        publish("gat", config=site, topic=topic)
    with pytest.raises(UserError, match=r"reads topic belt\.frames"):
        publish("belt", config=site, topic=topic)


@pytest.fixture
def secure_kafka(tmp_path, missing_server):
    try:
        server = SecureKafka(tmp_path, "eve", f"{CANARY}-right")
    except ServerError as error:
        missing_server(str(error))
    with server:
        yield server


@pytest.mark.kafka
def test_brokers_behind_sasl_and_tls_take_the_options_or_the_configuration(
    secure_kafka, prefix, clip, tmp_path, monkeypatch
):
    brokers, ca_file, topic = secure_kafka.brokers, str(secure_kafka.ca_file), f"{prefix}.frames"
    monkeypatch.setenv("RIGHT", f"{CANARY}-right")
    monkeypatch.setenv("WRONG", f"{CANARY}-wrong")
    options = {"topic": topic, "fast": True, "count": 2, "create": True}
    named = {**options, "kafka": brokers, "kafka_ca_file": ca_file, "kafka_user": "eve"}
    publish(str(clip), **named, kafka_password="RIGHT")
    site = tmp_path / "site.yaml"
    security = f"{{protocol: SASL_SSL, mechanism: SCRAM-SHA-512, user: eve, password: broker, ca_file: {ca_file}}}"
    site.write_text(SITE.format(brokers=brokers, security=security, clip=clip))
    publish("gate", config=site, **options)
    for variable in ("WRONG", "ABSENT"):
        with pytest.raises(UserError) as caught:
            publish(str(clip), **named, kafka_password=variable)
        assert caught.value.exit_code == 3
        assert "c4n4ry" not in str(caught.value)
    assert "ABSENT" in str(caught.value)

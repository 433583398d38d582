from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.app import UserError, build
from pipeline.cli.docs_reference import docs
from tests.clips import make_clip

ROOT = Path(__file__).parents[4]
EXAMPLE = str(ROOT / "tests/unit/pipeline/config/example.yaml")
CANARY = "zQcanaryXk"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def run(*arguments):
    result = CliRunner().invoke(build(arguments[0]), list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments):
    with pytest.raises(UserError) as caught:
        run(*arguments)
    return caught.value.exit_code, str(caught.value)


@pytest.mark.parametrize("name", ["demo", "laptop", "loading_dock", "kafka_in", "construction_site", "landmarks"])
def test_every_shipped_configuration_can_run_as_it_is(name):
    assert f"configs/{name}.yaml: right" in run("validate", f"configs/{name}.yaml", "--no-measure")


def test_validate_shows_the_shape_that_a_camera_gets(tmp_path):
    """By the pictures of a file and of the simulator; of others only a look tells."""
    clip = make_clip(tmp_path / "square.mp4", 3, size=(240, 320))
    path = tmp_path / "cameras.yaml"
    path.write_text(
        "version: 1\nsinks: {jsonl: {path: out}}\nmodel: {weights: random}\ncameras:\n"
        f"  square: {{source: {{file: {clip}}}}}\n  dock: {{source: {{simulated: dock}}}}\n"
        "  gate: {source: {url: 'rtsp://gate.lan/x'}}\n"
    )
    said = {line.split(":")[0].strip(): line for line in run("validate", str(path), "--no-measure").splitlines()}
    assert ", 224x294, " in said["square"]
    assert ", 224x392, " in said["dock"]
    assert ", shape by first picture, " in said["gate"]


@pytest.mark.parametrize(("shape", "metres"), [("224x392", 7), ("448x784", 14)])
def test_validate_says_how_far_persons_are_seen(tmp_path, shape, metres):
    path = tmp_path / "cameras.yaml"
    path.write_text(
        f"version: 1\nsinks: {{jsonl: {{path: out}}}}\nmodel: {{weights: random, shapes: [{shape}]}}\n"
        "heads: {depth: {kind: depth, checkpoint: fit_for_view}}\n"
        "cameras: {dock: {source: {simulated: dock}, view: {hfov: 74deg, height: 3.5m, pitch: 32deg}, heads: [depth],\n"
        "  lines: {dock: here}, rules: {close: {measure: distance_to(dock), enter: '< 4 m', exit: '> 4.6 m'}}}}\n"
    )
    found = run("validate", str(path), "--no-measure")
    assert f"a person shows 4 patches or more up to about {metres} m ahead, and may be missed beyond" in found


def test_mistakes_are_one_message_with_file_and_line(tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text("version: 1\nsinks: {jsonl: {pth: out}}\ncameras: {cam: {source: {file: a.mp4}}}\n")
    code, said = refused("validate", str(path))
    assert code == 2
    assert f"{path}:2:17: $.sinks.jsonl.pth: unknown key 'pth'" in said
    assert "did you mean 'path'" in said


def test_what_is_not_built_is_named(tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text(Path(EXAMPLE).read_text().replace("measure: similarity(wanted)", "measure: novelty"))
    path.write_text(path.read_text().replace('{false_alarms: "1 per day"}', '"> 0.8"\n        exit: "< 0.7"'))
    code, said = refused("validate", str(path), "--no-measure")
    assert code == 2
    assert "$.cameras.yard-01.rules.wanted_truck.measure: measure novelty is not built yet" in said


def test_what_is_not_here_is_told_apart(tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text(
        "version: 1\nsecrets: {a: '${env:NOT_SET_ANYWHERE}'}\nmodel: {weights: random}\n"
        "sinks: {jsonl: {path: out}}\ncameras: {cam: {source: {file: nowhere.mp4}}}\n"
    )
    code, said = refused("validate", str(path), "--no-measure")
    assert code == 3
    assert "$.secrets.a: secret 'a': environment variable NOT_SET_ANYWHERE is not there" in said
    assert "$.cameras.cam.source.file: video nowhere.mp4 is not there" in said


def test_a_class_that_the_bank_does_not_have_is_answered_with_the_nearest(tmp_path):
    text = Path("configs/loading_dock.yaml").read_text().replace("is: [forklift]", "is: [fork_lift]")
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    code, said = refused("validate", str(path), "--no-measure")
    assert code == 3
    assert "class 'fork_lift' is not one that head vehicles knows" in said
    assert "did you mean 'forklift'" in said


def test_show_gives_a_camera_after_merging():
    shown = yaml.safe_load(run("config", "show", EXAMPLE, "dock-03"))
    assert shown["rules"]["forklift_too_close"]["enter"] == "< 3 m"
    assert shown["rules"]["forklift_too_close"]["hold"] == "600ms"
    assert shown["sample"]["fps"] == 5.0


def test_origin_says_which_layer_and_line():
    lines = run("config", "show", EXAMPLE, "dock-03", "--origin").splitlines()
    origin = {line.split()[0]: line for line in lines}
    assert origin["sample.max_age"].endswith("23:38")
    assert "defaults, " in origin["sample.max_age"]
    assert "profile dock, " in origin["rules.forklift_too_close.hold"]
    assert "camera, " in origin["view.hfov"]
    assert origin["source.seed"].endswith("default")
    assert "simulator" in run("config", "show", EXAMPLE, "dock-sim", "--origin")


def test_show_of_an_unknown_camera_names_the_nearest():
    code, said = refused("config", "show", EXAMPLE, "dock-3")
    assert (code, "did you mean 'dock-03'" in said) == (2, True)


def test_no_command_prints_a_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("CAM_SITE", f"operator:{CANARY}")
    monkeypatch.setenv("CONTROL_TOKEN", f"{CANARY}2")
    written = f"rtsp://u:{CANARY}@cam.lan/{CANARY}"
    path = tmp_path / "leaky.yaml"
    path.write_text(Path(EXAMPLE).read_text().replace("rtsp://dock-03.lan/stream2", written))
    shown = run("config", "show", EXAMPLE) + run("config", "show", EXAMPLE, "dock-03", "--origin")
    for arguments in (("validate", EXAMPLE, "--no-measure"), ("validate", str(path)), ("config", "show", str(path))):
        shown += refused(*arguments)[1]
    assert CANARY not in shown


def test_docs_are_checked_and_written(tmp_path, monkeypatch):
    docs(check=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"run 'python main\.py docs'") as caught:
        docs(check=True)
    assert caught.value.exit_code == 1
    docs(check=False)
    docs(check=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--brokers", "localhost"), "--brokers: expected host:port such as localhost:9092, got 'localhost'"),
        (("--brokers", "eve:sesame@host:9092"), "--brokers: user and password do not belong in an address"),
        (("--brokers", "host:9092", "--prefix", "a b"), "--prefix: expected letters"),
    ],
)
def test_topics_refuses_what_is_no_address_before_it_connects(arguments, said):
    code, message = refused("topics", "check", *arguments)
    assert code == 2
    assert said in message
    assert "sesame" not in message

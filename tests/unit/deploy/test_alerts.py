"""Alerts and board name metrics, labels, states and limits that there are. `promtool` says whether they fire."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pipeline.control.serving.telemetry import STATES, registry
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.sinks.config import OutboxConfig

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
TARGET_LABELS = {"job", "instance"}


def exported():
    """Name of each metric, as scraped, and its labels."""
    families = registry(lambda: PipelineSnapshot("lab", 0)).collect()
    return {each.name + ("_total" if each.type == "counter" else ""): set(each._labelnames) for each in families}


def alerts():
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]
    return {each["alert"]: each for each in group["rules"]}


def board():
    return json.loads((DEPLOY / "grafana" / "dinostream.json").read_text())


def expressions():
    yield from (each["expr"] for each in alerts().values())
    yield from (target["expr"] for panel in board()["panels"] for target in panel["targets"])


def series_of_tests():
    for test in yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yaml").read_text())["tests"]:
        yield from (each["series"] for each in test["input_series"])


def test_every_metric_and_label_that_is_named_is_exported():
    found = exported()
    selectors = [
        each
        for text in [*expressions(), *series_of_tests()]
        for each in re.findall(r"(dinostream_\w+)(\{[^}]*\})?", text)
    ]
    assert len(selectors) > 40
    for name, labels in selectors:
        assert name in found, f"{name} is not on /metrics"
        assert set(re.findall(r"(\w+)[=!]", labels)) <= found[name], f"{name}{labels}"


def test_what_is_grouped_by_or_written_out_is_a_label():
    labels = set().union(*exported().values()) | TARGET_LABELS
    texts = [text for each in alerts().values() for text in each["annotations"].values()]
    texts += [target["legendFormat"] for panel in board()["panels"] for target in panel["targets"]]
    for text in texts:
        assert set(re.findall(r"\$labels\.(\w+)", text)) | set(re.findall(r"\{\{(\w+)\}\}", text)) <= labels, text
    for text in expressions():
        for names in re.findall(r"(?:by|without) \(([^)]*)\)", text):
            assert {each.strip() for each in names.split(",")} <= labels, text


def test_states_that_are_named_are_states():
    named = {
        each for text in expressions() for group in re.findall(r'state=~?"([^"]*)"', text) for each in group.split("|")
    }
    assert named
    assert named <= set(STATES)


def test_every_alert_is_tested_and_says_what_to_do():
    tests = (DEPLOY / "prometheus" / "rules_test.yaml").read_text()
    for name, rule in alerts().items():
        assert f'alertname="{name}"' in tests
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_outbox_alarms_below_the_default_bound():
    share, size = re.search(
        r"dinostream_outbox_bytes > ([\d.]+) \* (\d+)", alerts()["DinostreamOutboxNearlyFull"]["expr"]
    ).groups()
    assert int(size) == OutboxConfig().max_bytes
    assert 0.5 < float(share) < 1


def test_results_are_late_when_they_are_older_than_frames_may_be():
    (limit,) = re.findall(r"> ([\d.]+)", alerts()["DinostreamResultsLate"]["expr"])
    assert float(limit) == SampleConfig().max_age


@pytest.mark.parametrize("key", ["id", "title"])
def test_panels_are_told_apart_and_do_not_overlap(key):
    panels = board()["panels"]
    assert len({each[key] for each in panels}) == len(panels)
    cells = [
        (x, y)
        for each in panels
        for x in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for y in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24

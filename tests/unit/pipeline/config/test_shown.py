import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from operators.units import Threshold
from pipeline.cli.config_show import everything
from pipeline.config import load_config
from pipeline.config.fields import structs_of
from pipeline.config.json_schema import config_schema
from pipeline.config.reference import reference
from pipeline.config.schema import Grammar
from pipeline.config.written import written

HERE = Path(__file__).parent


def test_what_is_shown_is_read_back_as_the_same(tmp_path):
    config = load_config(HERE / "example.yaml")
    shown = everything(config)
    for camera in shown["cameras"].values():
        camera.pop("profile", None)
    path = tmp_path / "shown.yaml"
    path.write_text(yaml.safe_dump(shown, sort_keys=False))
    again = load_config(path)
    assert again.sections == config.sections
    assert {name: each.model_copy(update={"profile": None}) for name, each in config.cameras.items()} == again.cameras


@pytest.mark.parametrize(
    ("value", "text"),
    [((224, 392), "224x392"), (((224, 392), (14, 14)), ["224x392", "14x14"]), ((0.5, 1.0), [0.5, 1.0])],
)
def test_sizes_are_told_from_points(value, text):
    assert written(value) == text


def test_a_threshold_is_written_as_a_comparison():
    assert written(Threshold(">=", 1.0)) == ">= 1"


def test_the_schema_takes_the_whole_grammar():
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((HERE / "example.yaml").read_text()), schema)
    jsonschema.validate(yaml.safe_load((HERE / "right.yaml").read_text()), schema)


@pytest.mark.parametrize(
    "name", ["unknown section", "unknown key in a camera", "head kind", "admission", "no unit", "policy", "no version"]
)
def test_the_schema_rejects_what_an_editor_can_see(name):
    mistakes = {each["name"]: each for each in yaml.safe_load((HERE / "mistakes.yaml").read_text())}
    text = (HERE / "right.yaml").read_text().replace(mistakes[name]["old"], mistakes[name]["new"], 1)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), config_schema())


def test_defaults_in_the_schema_are_written_as_the_file_wants_them():
    text = json.dumps(config_schema())
    assert '"default": "5s"' in text
    assert '"default": "256MiB"' in text
    assert '"default": ["224x392", "224x294", "224x224"]' in text


def test_the_reference_names_every_key_and_every_measure():
    page = reference()
    for struct in structs_of(Grammar):
        for name, info in struct.model_fields.items():
            assert f"| `{info.alias or name}` |" in page, f"{struct.__name__}.{name}"
    assert "distance_to(LINE)" in page


def test_the_reference_in_docs_is_what_the_code_says():
    assert (HERE.parents[3] / "docs" / "configuration.md").read_text() == reference()

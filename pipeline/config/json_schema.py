"""JSON Schema of the configuration file, for editors."""

from __future__ import annotations

from typing import Any, cast

from pipeline.config.fields import structs_of
from pipeline.config.schema import Grammar
from pipeline.config.written import written

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """What an editor may offer and must reject. The loader checks more: names, units, polygons, thresholds.

    A key is required only where no default or profile can bring it: cameras are written in parts.
    """
    schema = Grammar.model_json_schema(by_alias=True)
    definitions = cast("dict[str, dict[str, Any]]", schema["$defs"])
    whole = _reachable(schema["properties"], definitions, skip={"defaults", "profiles", "cameras"})
    for name, definition in definitions.items():
        if name not in whole:
            definition.pop("required", None)
    for struct in structs_of(Grammar):
        for name, info in struct.model_fields.items():
            found = definitions.get(struct.__name__, schema)["properties"][info.alias or name]
            if "default" in found:
                found["default"] = written(info.get_default(call_default_factory=True), info.metadata)
    return {**schema, "$schema": _DIALECT, "title": "dinostream configuration"}


def _reachable(properties: dict[str, Any], definitions: dict[str, dict[str, Any]], skip: set[str]) -> set[str]:
    """Definitions used outside cameras."""
    found: set[str] = set()
    open_ends: list[Any] = [value for name, value in properties.items() if name not in skip]
    while open_ends:
        value = open_ends.pop()
        if isinstance(value, dict):
            each = cast("dict[str, Any]", value)
            name = str(each.get("$ref", "")).removeprefix("#/$defs/")
            if name and name not in found:
                found.add(name)
                open_ends.append(definitions[name])
            open_ends.extend(each.values())
        elif isinstance(value, list):
            open_ends.extend(cast("list[Any]", value))
    return found

"""YAML as the people wrote it: plain values, and for each the file, line and column where it stands.

PyYAML composes nodes; what YAML 1.1 would silently turn into something else is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.problems import ConfigError, Mark, Place, Problem

_OTHER_BOOLEANS = {"yes", "no", "on", "off"}
_SEXAGESIMAL = re.compile(r"^[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?$")
_OCTAL = re.compile(r"^[-+]?0[0-7_]+$")
_TAG = "tag:yaml.org,2002:"
_TAGS = {"null", "bool", "int", "float", "str", "timestamp", "map", "seq", "merge", "value"}
"""What plain YAML resolves to."""
_MAX_DEPTH = 32


class WrittenInt(int):
    """A whole number from the file: nothing that carries a unit accepts it."""


class WrittenFloat(float):
    """A number from the file: nothing that carries a unit accepts it."""


@dataclass(slots=True)
class Document:
    """One parsed file: its value, and where each part of it stands."""

    value: dict[str, Any]
    marks: dict[Place, Mark] = field(default_factory=dict[Place, Mark])

    def mark(self, place: Place) -> Mark:
        """Where `place` stands, or the nearest thing around it that the file has."""
        while place and place not in self.marks:
            place = place[:-1]
        return self.marks[place]


def read_document(path: Path) -> Document:
    """A file; or a folder, whose `*.yaml` hold one or more top-level sections each and whose `cameras/ID.yaml` hold the
    map of camera `ID`.

    Raises:
        ConfigError: not there, not YAML, or YAML that means something else than it says; all problems at once.
    """
    if path.is_dir():
        return _read_folder(path)
    document, problems = _read_file(path)
    if problems or document is None:
        raise ConfigError(problems)
    return document


def _read_folder(path: Path) -> Document:
    problems: list[Problem] = []
    whole = Document({}, {(): Mark(str(path), 1, 1)})
    files = [(file, ()) for file in sorted(path.glob("*.y*ml"))]
    files += [(file, ("cameras", file.stem)) for file in sorted((path / "cameras").glob("*.y*ml"))]
    if not files:
        raise ConfigError([Problem(whole.mark(()), (), "expected a *.yaml file in this folder, got none")])
    for file, place in files:
        document, more = _read_file(file)
        problems.extend(more)
        if document is not None:
            problems.extend(_graft(whole, document, place))
    if problems:
        raise ConfigError(problems)
    return whole


def _graft(whole: Document, document: Document, at: Place) -> Iterator[Problem]:
    """Puts a file's sections (or one camera's map) into the whole; a name that another file has is a problem."""
    target = whole.value
    if at:
        whole.marks.setdefault(at[:1], document.marks[()])
        target = target.setdefault(str(at[0]), {})
        if not isinstance(target, dict):
            return  # the schema says what `cameras` should be
    pairs = [(str(at[-1]), document.value)] if at else list(document.value.items())
    for name, value in pairs:
        place = (*at[:-1], name)
        if name in target:
            first = whole.mark(place)
            yield Problem(document.mark(() if at else (name,)), place, f"already written in {first.file}:{first.line}")
            continue
        target[name] = value
    for place, mark in document.marks.items():
        if place or at:
            whole.marks.setdefault((*at, *place), mark)


def _read_file(path: Path) -> tuple[Document | None, list[Problem]]:
    start = Mark(str(path), 1, 1)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return None, [Problem(start, (), f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return None, [Problem(start, (), f"expected UTF-8, got byte {error.object[error.start]:#04x}")]
    if tabs := list(_tabs(text, str(path))):
        return None, tabs
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = start if at is None else Mark(str(path), at.line + 1, at.column + 1)
        said = error.problem or error.context or "not YAML"
        return None, [Problem(mark, (), f"not YAML: {said}")]
    except yaml.YAMLError as error:
        return None, [Problem(start, (), f"not YAML: {type(error).__name__}")]
    walk = _Walk(str(path))
    value = walk.value(node, ()) if node is not None else None
    if not isinstance(value, dict) and not walk.problems:
        walk.problems.append(Problem(start, (), "expected a map such as `version: 1`, got nothing of the kind"))
    document = Document(value, walk.marks) if isinstance(value, dict) else None
    return document, walk.problems


def _tabs(text: str, file: str) -> Iterator[Problem]:
    for number, line in enumerate(text.splitlines(), start=1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent and line.strip():
            yield Problem(Mark(file, number, indent.index("\t") + 1), (), "expected spaces, got a tab")


class _Walk:
    """Turns nodes into values, collecting marks and problems."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[int] = set()
        self.marks: dict[Place, Mark] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        mark = Mark(self._file, node.start_mark.line + 1, node.start_mark.column + 1, place)
        self.marks.setdefault(place, mark)
        if id(node) in self._seen:
            return self._refuse(mark, place, "anchors and aliases are not used here: write defaults or a profile")
        self._seen.add(id(node))
        if len(place) > _MAX_DEPTH:
            return self._refuse(mark, place, f"expected at most {_MAX_DEPTH} levels")
        if node.tag.removeprefix(_TAG) not in _TAGS:
            return self._refuse(mark, place, f"expected a plain value, got the tag {node.tag}")
        if isinstance(node, yaml.MappingNode):
            return self._map(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, mark, place)

    def _map(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = Mark(self._file, key_node.start_mark.line + 1, key_node.start_mark.column + 1, place)
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(mark, place, "expected a name before the colon, got a map or a list")
                continue
            key = str(key_node.value)
            inner = (*place, key)
            if key_node.tag == f"{_TAG}merge":
                self._refuse(mark, place, "`<<` is not used here: write defaults or a profile")
            elif key in found:
                first = self.marks[inner]
                self._refuse(mark, inner, f"duplicate key {key!r}: already written in line {first.line}")
            else:
                self.marks[inner] = Mark(mark.file, mark.line, mark.column, inner)
                found[key] = self.value(value_node, inner)
        return found

    def _scalar(self, node: yaml.Node, mark: Mark, place: Place) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            if text.lower() in _OTHER_BOOLEANS:
                return self._refuse(mark, place, f'expected true or false, got {text} (a word is written "{text}")')
            return text.lower() == "true"
        if kind not in {"int", "float"}:
            return text
        if _SEXAGESIMAL.match(text):
            return self._refuse(mark, place, f'{text} is a number to base 60 in YAML: write "{text}" in quotes')
        if _OCTAL.match(text):
            return self._refuse(mark, place, f"{text} is an octal number in YAML: write it without the leading 0")
        plain = text.replace("_", "")
        if kind == "int":
            return WrittenInt(int(plain, 0))
        return WrittenFloat(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))

    def _refuse(self, mark: Mark, place: Place, message: str) -> None:
        self.problems.append(Problem(mark, place, message))

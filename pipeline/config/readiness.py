"""What keeps a correct configuration from running here and now: parts that are not built yet, files that are not there.

Apart from `load_config`, since a file may be checked on another machine than the one that runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from operators.heads.known_classes import known_classes
from operators.rules.measures import parse_measure
from operators.spelling import did_you_mean
from pipeline.config.check_model import is_path
from pipeline.config.files_here import addresses, here
from pipeline.config.loader import Config
from pipeline.config.problems import ConfigError, Place, Problem
from pipeline.config.schema import CameraConfig
from pipeline.fetching.address import lacking
from pipeline.frame_path.publisher.evidence_shelves import store_complaint

Findings = Iterator[tuple[Place, str]]


def not_built(config: Config) -> list[Problem]:
    """Every part of the grammar that this version parses but cannot do, by name."""
    return _problems(config, _not_built(config))


def not_there(config: Config) -> list[Problem]:
    """Files, folders and secrets that are not on this machine, and classes that a bank does not have."""
    return _problems(config, _not_there(config))


def check_ready(config: Config) -> None:
    """Before anything starts.

    Raises:
        ConfigError: something is not built or not there; all of it at once.
    """
    if problems := [*not_built(config), *not_there(config)]:
        raise ConfigError(problems)


def _problems(config: Config, findings: Findings) -> list[Problem]:
    return [Problem(config.mark(place), place, message) for place, message in findings]


def _not_built(config: Config) -> Findings:
    for name, head in config.heads.items():
        for place, message in head.not_built():
            yield ("heads", name, *place), message
    for camera, found in config.cameras.items():
        for rule, each in found.rules.items():
            place: Place = ("cameras", camera, "rules", rule)
            spec = parse_measure(each.measure)
            if not spec.is_built:
                yield (*place, "measure"), f"measure {spec.name} is not built yet"


def _not_there(written: Config) -> Findings:
    config = here(written)
    awaited = dict(addresses(config))
    for place, text in awaited.items():
        if why := lacking(text):
            yield place, why
    if complaint := store_complaint(config.evidence.store):
        yield ("evidence", "store"), complaint
    for name, why in config.secrets.missing():
        yield ("secrets", name), why
    if is_path(config.model.weights) and ("model", "weights") not in awaited:
        yield from _file(("model", "weights"), config.model.weights, "weights")
    classes: dict[str, tuple[str, ...]] = {}
    yield from _heads(config, awaited, classes)
    for place, path, what in config.sinks.files():
        yield from _file(("sinks", *place), path, what)
    for camera, found in config.cameras.items():
        for place, path, what in found.source.files():
            yield from _file(("cameras", camera, "source", *place), path, what)
        yield from _classes(camera, found, classes)


def _heads(config: Config, awaited: Mapping[Place, str], classes: dict[str, tuple[str, ...]]) -> Findings:
    """Their files; notes the classes of each that knows them."""
    for name, head in config.heads.items():
        for key, path, what in head.files():
            if ("heads", name, key) not in awaited:
                yield from _file(("heads", name, key), path, what)
        if ("heads", name, head.made_from) not in awaited:
            try:
                known = known_classes(head)
            except (ValueError, OSError) as error:
                yield ("heads", name, head.made_from), str(error)
            else:
                classes |= {name: known} if known else {}


def _file(place: Place, path: str, what: str) -> Findings:
    if not Path(path).exists():
        yield place, f"{what} {path} is not there (from {Path.cwd()})"


def _classes(camera: str, found: CameraConfig, classes: dict[str, tuple[str, ...]]) -> Findings:
    """Classes that rules name and heads do not know; `unknown` is always one."""
    for rule, each in found.rules.items():
        place: Place = ("cameras", camera, "rules", rule)
        named: list[tuple[Place, str, str]] = []
        if each.of is not None:
            named += [((*place, "of", "is", index), each.of.head, name) for index, name in enumerate(each.of.is_)]
        spec = parse_measure(each.measure)
        if len(spec.args) >= 2 and spec.needs.heads:
            named.append(((*place, "measure"), spec.args[0], spec.args[1]))
        for at, head, name in named:
            known = (*classes.get(head, (name,)), "unknown")
            if name not in known:
                yield (
                    at,
                    (
                        f"class {name!r} is not one that head {head} knows: expected one of {_shown(known)}"
                        f"{did_you_mean(name, known)}"
                    ),
                )


def _shown(names: Sequence[str], most: int = 30) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")

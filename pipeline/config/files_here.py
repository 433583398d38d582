"""Files that a configuration names by an address: which copies this machine has, and having the others fetched.

The first copy of an address without a sha256 decides what it is from then on: `fetched.json` in `state_dir` says so,
and another content is refused until someone wants it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from operators.backbone.weights_folder import default_cache_dir
from operators.heads.config import HeadConfig
from pipeline.config.check_model import HEAD_FILES
from pipeline.config.loader import Config
from pipeline.config.problems import Place
from pipeline.errors import PipelineError
from pipeline.fetching.address import Address, is_address
from pipeline.fetching.cache import FileCache, Say
from pipeline.fetching.transfer import opened
from pipeline.frame_path.publisher.artefacts import write_whole

_BANK = "bank.safetensors"


def file_cache() -> FileCache:
    """Of this machine's user."""
    return FileCache(default_cache_dir().parent / "fetched")


def addresses(config: Config) -> Iterator[tuple[Place, str]]:
    """Every place that names a file by an address."""
    if is_address(config.model.weights):
        yield ("model", "weights"), config.model.weights
    for name, head in config.heads.items():
        for key in HEAD_FILES:
            if is_address(text := getattr(head, key, "")):
                yield ("heads", name, key), text


def here(config: Config) -> Config:
    """With the paths of the copies that this machine has in place of their addresses; asks nobody."""
    known = _known(config)
    paths: dict[str, str] = {}
    for place, text in addresses(config):
        address = _address(place, text)
        sha256 = address.sha256 or known.get(address.url, "")
        path = file_cache().path(sha256, address.name)
        if sha256 and path.is_file():
            paths[text] = str(path)
    return _with(config, paths)


def fetched(config: Config, say: Say) -> Config:
    """With paths in place of all addresses, each fetched where it is not here.

    Raises:
        PipelineError: one cannot be had, or has another content than before.
    """
    known = _known(config)
    paths: dict[str, str] = {}
    for place, text in addresses(config):
        address = _address(place, text)
        expected = replace(address, sha256=address.sha256 or known.get(address.url, ""))
        is_here = bool(expected.sha256) and file_cache().path(expected.sha256, expected.name).is_file()
        if not is_here:
            say(f"fetching {address.shown}")
        try:
            path, sha256 = file_cache().fetched(expected, say)
        except PipelineError as error:
            raise PipelineError(
                error.message + _recorded(address, expected), code=error.code, where=_dotted(place)
            ) from None
        if not expected.sha256:
            known[address.url] = sha256
            write_whole(_record(config), json.dumps(known, indent=1).encode())
            say(f"{address.shown}: sha256 {sha256}; this state expects it from now on. Write #sha256=… behind it")
        paths[text] = str(path)
    return _with(config, paths)


def awaited(config: Config) -> Iterator[tuple[Place, str, str]]:
    """(place, address as shown, why it cannot be had: empty where it can) of what this machine has no copy of. Asks
    each, and fetches nothing.
    """
    for place, text in addresses(here(config)):
        address = _address(place, text)
        try:
            with opened(address):
                yield place, address.shown, ""
        except PipelineError as error:
            yield place, address.shown, error.message


def _known(config: Config) -> dict[str, str]:
    """sha256 by address, as first fetched."""
    path = _record(config)
    return cast("dict[str, str]", json.loads(path.read_text())) if path.is_file() else {}


def _record(config: Config) -> Path:
    return Path(config.runtime.state_dir) / "fetched.json"


def _recorded(address: Address, expected: Address) -> str:
    """What else to do where nobody has written the hash."""
    return "" if address.sha256 == expected.sha256 else ", or take the address out of fetched.json in runtime.state_dir"


def _address(place: Place, text: str) -> Address:
    """Of a bank, which is a folder for people, the file with the vectors."""
    found = Address.of(text)
    if place[-1] != "bank" or found.shown.endswith(".safetensors"):
        return found
    return replace(found, url=f"{found.url.rstrip('/')}/{_BANK}")


def _dotted(place: Place) -> str:
    return ".".join(str(each) for each in place)


def _with(config: Config, paths: Mapping[str, str]) -> Config:
    """Paths by what stands in the configuration."""
    if not paths:
        return config
    model = config.model.model_copy(update={"weights": paths.get(config.model.weights, config.model.weights)})
    heads = {name: _head_with(head, paths) for name, head in config.heads.items()}
    return replace(config, sections=config.sections.model_copy(update={"model": model, "heads": heads}))


def _head_with(head: HeadConfig, paths: Mapping[str, str]) -> HeadConfig:
    change: dict[str, Any] = {
        key: paths[text] for key in HEAD_FILES if isinstance(text := getattr(head, key, None), str) and text in paths
    }
    return head.model_copy(update=change) if change else head

"""Where recorded events are read: JSON lines, a Redis stream, or the sinks of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.cli.explain.command import Keeper, keeper_of, past
from pipeline.config.loader import Config
from pipeline.errors import SinkError
from pipeline.messages import Kind
from pipeline.secrets import Secrets
from pipeline.sinks.config import REDIS_SCHEMES, RedisSinkConfig
from pipeline.sinks.past import redis_past

_RESULTS = ":results:"


@dataclass(frozen=True, slots=True)
class Recording:
    """Lines of alerts and of results, oldest first; each `Iterable` can be read once."""

    results: Iterable[bytes]
    alerts: Iterable[bytes] | None
    """None: nowhere to read them; they may stand among the results."""


def is_stream(results: str) -> bool:
    """A Redis stream's address."""
    return results.partition("://")[0] in REDIS_SCHEMES and "://" in results


def is_lines(path: Path) -> bool:
    """A file of JSON lines, or a folder of the sink that writes them."""
    if path.is_dir():
        return any(path.glob("results*.jsonl"))
    return path.suffix.lower() not in {".yaml", ".yml"}


def of_stream(address: str) -> Recording:
    """`redis://localhost:6379/0/vision:results:dock-03`, and the alerts of that camera beside it.

    Raises:
        UserError: it names no stream of results, or a user and password.
    """
    url, _, stream = address.rpartition("/")
    prefix, found, camera = stream.rpartition(_RESULTS)
    if "@" in address:
        raise UserError("expected no user and password in an address: name them in a configuration, and replay that")
    if not found or url.count("/") != 3:
        msg = f"expected a stream of results such as redis://localhost:6379/0/vision:results:dock-03, got {address!r}"
        raise UserError(msg)
    config = RedisSinkConfig(url=url, prefix=prefix)
    kinds: tuple[Kind, Kind] = ("result", "alert")
    results, alerts = (redis_past(config, Secrets({}), kind, camera) for kind in kinds)
    return Recording(results, alerts)


def of_lines(path: Path) -> Recording:
    """A file, with the alerts of the folder that it lies in; or the folder.

    Raises:
        UserError: it is not there.
    """
    if path.is_dir():
        return Recording(_lines(_rotated(path, "results")), _lines(_rotated(path, "alerts")))
    if not path.is_file():
        raise UserError(
            f"{path} is not there: expected JSON lines, a folder of them, redis://... or a configuration", 3
        )
    alerts = _rotated(path.parent, "alerts") if path.stem.startswith("results") else []
    return Recording(_lines([path]), _lines(alerts) if alerts else None)


def of_config(config: Config, asked: Keeper | None, camera: str | None, since_ns: int) -> Recording:
    """The sinks of a configuration. Of live cameras only what was published after `since_ns` is read.

    Raises:
        UserError: the sink or the camera is not there.
    """
    if camera is not None and camera not in config.cameras:
        hint = did_you_mean(camera, config.cameras)
        raise UserError(
            f"unknown camera {camera!r} in {config.path}: expected one of {', '.join(config.cameras)}{hint}"
        )
    keeper = keeper_of(config, asked)
    if keeper is Keeper.jsonl:
        assert config.sinks.jsonl is not None
        return of_lines(Path(config.sinks.jsonl.path))
    cameras = [camera] if camera else list(config.cameras)

    def each(kind: Kind) -> Iterator[bytes]:
        for name in cameras:
            is_live = not config.cameras[name].source.is_replayable
            yield from past(config, keeper, kind, name, since_ns if is_live and kind == "result" else 0)

    return Recording(each("result"), each("alert"))


def _rotated(folder: Path, name: str) -> list[Path]:
    """Those set aside first."""
    newest = folder / f"{name}.jsonl"
    return [*sorted(folder.glob(f"{name}-*.jsonl")), *([newest] if newest.is_file() else [])]


def _lines(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        try:
            with path.open("rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))  # the last one may still be written
        except OSError as error:
            raise SinkError(f"{path} cannot be read: {error.strerror}", code="unreadable") from None

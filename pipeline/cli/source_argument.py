"""A source named on the command line: a file, an address, or `simulated:SEED`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.config.loader import Config
from pipeline.errors import ConnectError, SourceError
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets, redact, redact_url, register
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.registry import build_feed

_SCHEMES = ("rtsp", "rtsps", "http", "https")
_SECRET = "argument"  # noqa: S105 - a name, not a value


@dataclass(frozen=True, slots=True)
class SourceArgument:
    """What was named, ready to open."""

    shown: str
    config: SourceConfig
    secrets: Secrets
    camera: str | None = None
    """Of a configuration."""

    @property
    def name(self) -> str:
        """The camera, or the file's or address's last part without its ending."""
        return self.camera or Path(self.shown).stem

    def feed(self, camera: str) -> Feed:
        return build_feed({camera: self.config}, self.secrets, (), KafkaSecurity())


def parse_source(
    text: str,
    *,
    credentials: str | None = None,
    transport: str = "tcp",
    ca_file: str | None = None,
    pace: str = "as_fast_as_possible",
    loop: bool = False,
    cameras: Sequence[str] = (),
) -> SourceArgument:
    """`credentials` names an environment variable that holds `user:password`.

    `cameras` are names that the person might have meant.

    Raises:
        UserError: not a source, or one with its password in it.
    """
    fields: dict[str, object] = {"transport": transport, "ca_file": ca_file, "pace": pace, "loop": loop}
    shown = text
    if text.partition(":")[0] == "simulated":
        fields |= {"simulated": "dock", "seed": _seed(text)}
    elif "://" in text:
        _check_address(text)
        shown = redact_url(text)
        fields["url"] = text
    else:
        if not Path(text).is_file():
            named = f", or a camera ({', '.join(cameras)})" if cameras else ""
            raise UserError(
                f"{text}: expected a file, an address or simulated:SEED{named}, got none of that name"
                f"{did_you_mean(text, cameras)}",
                3,
            )
        fields["file"] = text
    if credentials is not None:
        fields["credentials"] = _SECRET
    try:
        config = SourceConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{shown}: {redact(str(first['msg']))} ({'.'.join(map(str, first['loc']))})") from None
    return SourceArgument(shown, config, Secrets({_SECRET: f"${{env:{credentials}}}"} if credentials else {}))


def configured_source(config: Config, camera: str, *, pace: str, loop: bool) -> SourceArgument:
    """A camera of the configuration, with its secrets; files at the pace that is asked for here.

    Raises:
        UserError: the camera reads a topic already.
    """
    source = config.cameras[camera].source
    if source.kafka is not None:
        raise UserError(f"camera {camera} reads topic {source.kafka.topic}: expected a camera that is not in Kafka yet")
    if source.file is not None:
        source = source.model_copy(update={"pace": pace, "loop": loop or source.loop})
    return SourceArgument(camera, source, config.secrets, camera)


def as_user_error(error: SourceError) -> UserError:
    """The sentence, with exit code 3 where the source could not be reached and 1 where it failed on the way."""
    return UserError(redact(error.message), 3 if isinstance(error, ConnectError) else 1)


def _seed(text: str) -> int:
    seed = text.partition(":")[2] or "0"
    if not seed.isdigit():
        raise UserError(f"{text}: expected simulated:SEED with a whole number")
    return int(seed)


def _check_address(text: str) -> None:
    parts = urlsplit(text)
    if parts.password:
        register(parts.password)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UserError(f"{redact_url(text)}: expected an address that begins with {', '.join(_SCHEMES)}://HOST")
    if parts.username or parts.password:
        raise UserError(
            f"{redact_url(text)}: expected no user and password in the address, where everyone on this machine sees "
            "them. Put user:password into an environment variable and name it with --credentials."
        )

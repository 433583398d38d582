"""Where a camera's video lies: what to hand to FFmpeg, and what may be shown."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pipeline.errors import ConnectError
from pipeline.secrets import Secrets, redact_url
from pipeline.sources.config import SourceConfig

_TLS_SCHEMES = ("rtsps", "https")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """`target` carries the password and goes to FFmpeg alone; `shown` goes everywhere else."""

    target: str
    shown: str
    options: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Address({self.shown})"

    @property
    def scheme(self) -> str:
        """Empty for a file."""
        return urlsplit(self.target).scheme if "://" in self.target else ""

    @property
    def is_tls(self) -> bool:
        return self.scheme in _TLS_SCHEMES

    def has_name(self) -> bool:
        """Whether the host can be resolved now. Asked after a failure only, since FFmpeg does not tell."""
        try:
            socket.getaddrinfo(urlsplit(self.target).hostname, None)
        except OSError:
            return False
        return True


def file_address(path: str) -> Address:
    """A local file. `file:` keeps FFmpeg from taking a name with a colon for a protocol."""
    return Address(f"file:{path}", path)


def live_address(camera: str, config: SourceConfig, secrets: Secrets) -> Address:
    """The camera's URL with its credentials put in.

    Raises:
        ConnectError: the secret (`unauthorized`) or the CA file (`tls`) is not there.
    """
    url = config.url or ""
    shown = redact_url(url)
    if config.credentials is None:
        return Address(url, shown, _options(camera, config))
    try:
        user, _, password = secrets.resolve(config.credentials).partition(":")
    except KeyError as error:
        message = f"could not open {shown}: {error.args[0]}. Set it where `secrets:` says."
        raise ConnectError(message, code="unauthorized", where=camera) from None
    parts = urlsplit(url)
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    target = urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
    return Address(target, redact_url(url), _options(camera, config))


def _options(camera: str, config: SourceConfig) -> dict[str, str]:
    """FFmpeg's. A short probe: the first picture of a camera comes after its first keyframe and not a second later."""
    scheme = urlsplit(config.url or "").scheme
    options = {"fflags": "nobuffer", "fpsprobesize": "0"}
    if scheme in {"rtsp", "rtsps"}:
        options |= {
            "rtsp_transport": config.transport,
            "allowed_media_types": "video",
            "probesize": "32768",
            "analyzeduration": "0",
        }
    if scheme in _TLS_SCHEMES:
        options |= {"tls_verify": "1", "ca_file": _ca_file(camera, config)}
    return options


def _ca_file(camera: str, config: SourceConfig) -> str:
    """The camera's own, else the system's."""
    defaults = ssl.get_default_verify_paths()
    path = config.ca_file or defaults.cafile or defaults.openssl_cafile
    if not Path(path).is_file():
        message = (
            f"could not open {redact_url(config.url or '')}: expected a file of trusted certificates, got {path}. "
            "Name one as `source.ca_file`."
        )
        raise ConnectError(message, code="tls", where=camera)
    return path

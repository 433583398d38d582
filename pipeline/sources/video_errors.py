"""PyAV's errors become ours here and nowhere else.

PyAV's own carry the address, with its password, in text and args. So a new error is built from class, phase and the
redacted address, and raised `from None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import av.error

from pipeline.errors import ConnectError, DecodeError, SourceError, StreamStalled

Code = Literal["refused", "timeout", "unauthorized", "not_found", "dns", "tls", "unsupported", "ended"]

ADVICE: dict[str, str] = {
    "refused": "Check host and port, and that the camera serves this protocol.",
    "timeout": "Check that the camera is on and that no firewall drops its packets.",
    "unauthorized": "Check the user and password behind `source.credentials`.",
    "not_found": "Check the path.",
    "dns": "Check the host name and the name server.",
    "tls": "Check `source.ca_file`, the certificate's names and dates, and that the port speaks TLS.",
    "unsupported": "Check that it is video that FFmpeg knows.",
    "ended": "The camera or the network closed the stream.",
}

CODES: dict[type[Exception], Code] = {
    av.error.HTTPUnauthorizedError: "unauthorized",
    av.error.HTTPForbiddenError: "unauthorized",
    av.error.PermissionError: "unauthorized",
    av.error.HTTPNotFoundError: "not_found",
    av.error.FileNotFoundError: "not_found",
    av.error.IsADirectoryError: "not_found",
    av.error.NotADirectoryError: "not_found",
    av.error.HTTPBadRequestError: "refused",
    av.error.HTTPTooManyRequestsError: "refused",
    av.error.HTTPOtherClientError: "refused",
    av.error.HTTPServerError: "refused",
    av.error.HTTPClientError: "refused",
    av.error.HTTPError: "refused",
    av.error.ConnectionRefusedError: "refused",
    av.error.TimeoutError: "timeout",
    av.error.ExitError: "timeout",
    av.error.BlockingIOError: "timeout",
    av.error.InterruptedError: "timeout",
    av.error.ConnectionAbortedError: "ended",
    av.error.ConnectionResetError: "ended",
    av.error.BrokenPipeError: "ended",
    av.error.EOFError: "ended",
    av.error.InvalidDataError: "unsupported",
    av.error.DecoderNotFoundError: "unsupported",
    av.error.DemuxerNotFoundError: "unsupported",
    av.error.EncoderNotFoundError: "unsupported",
    av.error.MuxerNotFoundError: "unsupported",
    av.error.FilterNotFoundError: "unsupported",
    av.error.BSFNotFoundError: "unsupported",
    av.error.ProtocolNotFoundError: "unsupported",
    av.error.OptionNotFoundError: "unsupported",
    av.error.LookupError: "unsupported",
    av.error.NotImplementedError: "unsupported",
    av.error.PatchWelcomeError: "unsupported",
    av.error.ExperimentalError: "unsupported",
    av.error.ArgumentError: "unsupported",
    av.error.BufferTooSmallError: "unsupported",
    av.error.OverflowError: "unsupported",
    av.error.BugError: "unsupported",
    av.error.InputChangedError: "ended",
    av.error.OutputChangedError: "ended",
    av.error.ExternalError: "refused",
    av.error.UndefinedError: "refused",
    av.error.UnknownError: "refused",
    av.error.OSError: "refused",
    av.error.FileExistsError: "refused",
    av.error.ChildProcessError: "refused",
    av.error.ProcessLookupError: "refused",
    av.error.MemoryError: "refused",
    av.error.PyAVCallbackError: "refused",
    av.error.FFmpegError: "refused",
}
"""Every class of `av.error`; a test fails when PyAV adds one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was being done when PyAV raised. Holds nothing secret."""

    camera: str
    address: str
    """Redacted."""
    phase: Literal["open", "read"]
    waited_seconds: float = 0.0
    timeout_seconds: float = 0.0
    has_name: bool = True
    """Whether the host's name could be resolved, asked after the failure."""
    is_tls: bool = False


def code_of(error: Exception) -> Code:
    """The most specific code for an exception of PyAV; its classes carry no more than that."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return "refused"


def translate(error: Exception, attempt: Attempt) -> SourceError:
    """The error to raise, `from None`, instead of `error`."""
    code = code_of(error)
    if attempt.phase == "read":
        return _while_reading(code, error, attempt)
    is_plain_io = type(error) is av.error.OSError
    if is_plain_io and not attempt.has_name:
        code = "dns"
    elif is_plain_io and attempt.is_tls:
        code = "tls"
    elif code == "unsupported" and attempt.timeout_seconds and attempt.waited_seconds >= 0.9 * attempt.timeout_seconds:
        code = "timeout"  # a peer that accepts and then says nothing
    elif code == "ended":
        code = "refused"
    return ConnectError(
        f"could not open {attempt.address}: expected video, got {_what(error)}. {ADVICE[code]}",
        code=code,
        where=attempt.camera,
    )


def _while_reading(code: Code, error: Exception, attempt: Attempt) -> SourceError:
    if code == "timeout":
        return stalled(attempt)
    if code == "unsupported":
        message = f"could not read {attempt.address}: expected video, got {_what(error)}. {ADVICE[code]}"
        return DecodeError(message, code="undecodable", where=attempt.camera)
    return ended(attempt, _what(error))


def stalled(attempt: Attempt) -> StreamStalled:
    """Nothing has come for too long."""
    return StreamStalled(
        f"{attempt.address} stalled: expected a packet within {attempt.timeout_seconds:g} s, got none. "
        + ADVICE["timeout"],
        code="timeout",
        where=attempt.camera,
    )


def ended(attempt: Attempt, what: str = "its end") -> ConnectError:
    """A live stream that ends is a failure."""
    message = f"{attempt.address} ended: expected a live stream, got {what}. {ADVICE['ended']}"
    return ConnectError(message, code="ended", where=attempt.camera)


def _what(error: Exception) -> str:
    """The class in words, never the error's own text."""
    code = f" {error.errno}" if isinstance(error, av.error.OSError) and error.errno is not None else ""
    return f"{type(error).__name__}{code}"

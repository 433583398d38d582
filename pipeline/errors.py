"""The errors of a running pipeline.

PipelineError
    SourceError         a camera or topic
        ConnectError        could not be opened
        StreamStalled       opened, but nothing comes
        DecodeError         comes, but is not video
    AnalyzeError        the model's worker refused, died or hung
    SinkError           a broker
        PublishError        did not take a message
    DrainTimeout        a clean stop took too long
    GalleryError        the store of searchable frames

Configuration and weights have their own errors (`pipeline.config.problems.ConfigError`,
`operators.backbone.checkpoints.WeightsError`): they end a start, these do not end a run.
Foreign exceptions are translated next to their adapter and raised `from None`, since PyAV's and redis's own carry
addresses with passwords. All of ours keep fields and survive pickling, as Ray sends them.
"""

from __future__ import annotations


class PipelineError(Exception):
    """Anything that goes wrong while frames flow."""

    is_transient = True
    """Whether trying again can help; retry reads this, never a list of types."""

    def __init__(self, message: str, *, code: str = "error", where: str = "") -> None:
        """Keeps `message` (redacted), a stable `code` for counters, and `where` (camera, sink, actor)."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def __reduce__(self) -> tuple[object, tuple[type[PipelineError], str, str, str]]:
        return (_rebuild, (type(self), self.message, self.code, self.where))


def _rebuild(kind: type[PipelineError], message: str, code: str, where: str) -> PipelineError:
    return kind(message, code=code, where=where)


class SourceError(PipelineError):
    """A camera or topic."""


class ConnectError(SourceError):
    """Could not be opened; `code` is one of refused, timeout, unauthorized, not_found, dns, tls, unsupported, secret,
    ended (a live stream that stopped), fenced (a higher lease reads it), lost (records that the broker has deleted).
    """


class StreamStalled(SourceError):
    """Opened, but nothing comes."""


class DecodeError(SourceError):
    """Comes, but is not video."""


class AnalyzeError(PipelineError):
    """The model's worker refused, died or hung."""


class SinkError(PipelineError):
    """A broker."""


class PublishError(SinkError):
    """Did not take a message."""


class DrainTimeout(PipelineError):
    """A clean stop took too long."""

    is_transient = False


class GalleryError(PipelineError):
    """The store of searchable frames: in use, damaged, or the disk is full."""

    is_transient = False

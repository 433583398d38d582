"""Errors of a request that people made, as JSON: `detail` and `code`."""

from __future__ import annotations

import msgspec
from fastapi import Response

from pipeline.errors import PipelineError

STATUS = {
    "unknown": 404,
    "unknown_camera": 404,
    "usage": 422,
    "empty": 422,
    "space": 409,
    "busy": 409,
    "conflict": 409,
}
"""By the code of an error that whoever asks can mend; any other is 503."""


def refusal(error: PipelineError) -> Response:
    """What went wrong; where it is a fault of ours, with the part that failed."""
    return _error(error.message if error.code in STATUS else str(error), error.code)


def wrong_request(error: msgspec.ValidationError) -> Response:
    """A body of another form."""
    return _error(f"wrong request: {error}", "usage")


def _error(message: str, code: str) -> Response:
    body = msgspec.json.encode({"detail": message, "code": code})
    return Response(body, status_code=STATUS.get(code, 503), media_type="application/json")

"""`POST /config/apply`: the driver reads its own file again; nothing is uploaded. Behind the token, like `/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import Body, FastAPI, Header, Response

from pipeline.control.changes.applied import Applied
from pipeline.control.serving.http_errors import refusal, wrong_request
from pipeline.errors import PipelineError

CONFIG_APPLY = "/config/apply"


class Apply(Protocol):
    """What `Reload.apply` does."""

    def __call__(self, *, is_dry_run: bool, file: str | None) -> Applied: ...


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Travels as JSON."""

    dry_run: bool = False
    """Say what would be done, and do nothing."""
    file: str | None = None
    """Its name, so that nobody applies another file than the one that was edited."""


def add_config_routes(app: FastAPI, authorize: Callable[[str], None], apply: Apply) -> None:
    """`authorize` raises for a header that does not open the pages."""

    @app.post(CONFIG_APPLY)
    def config_apply(body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = "") -> Response:  # pyright: ignore[reportUnusedFunction]
        authorize(authorization)
        try:
            asked = msgspec.convert(body, ApplyRequest)
            applied = apply(is_dry_run=asked.dry_run, file=asked.file)
        except msgspec.ValidationError as error:
            return wrong_request(error)
        except PipelineError as error:
            return refusal(error)
        return Response(msgspec.json.encode(applied), media_type="application/json")

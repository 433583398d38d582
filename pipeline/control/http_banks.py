"""`POST /banks/add`: a class is added to a bank while everything runs. Behind the token, like `/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Header, Response

from pipeline.control.bank_request import Added, AddRequest
from pipeline.errors import PipelineError

Add = Callable[[AddRequest], Added]

BANKS_ADD = "/banks/add"
_STATUS = {"unknown": 404, "usage": 422, "empty": 422, "space": 409, "busy": 409}
"""By the code of an error that whoever asks can mend; any other is 503."""


def add_bank_routes(app: FastAPI, authorize: Callable[[str], None], add: Add) -> None:
    """`authorize` raises for a header that does not open the pages."""

    @app.post(BANKS_ADD)
    def banks_add(body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = "") -> Response:  # pyright: ignore[reportUnusedFunction]
        authorize(authorization)
        try:
            added = add(msgspec.convert(body, AddRequest))
        except msgspec.ValidationError as error:
            return _error(f"wrong request: {error}", "usage")
        except PipelineError as error:
            return _error(error.message if error.code in _STATUS else str(error), error.code)
        return Response(msgspec.json.encode(added), media_type="application/json")


def _error(message: str, code: str) -> Response:
    body = msgspec.json.encode({"detail": message, "code": code})
    return Response(body, status_code=_STATUS.get(code, 503), media_type="application/json")

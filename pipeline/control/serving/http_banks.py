"""`POST /banks/add`: a class is added to a bank while everything runs. Behind the token, like `/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Header, Response

from pipeline.control.banks.bank_request import Added, AddRequest
from pipeline.control.serving.http_errors import refusal, wrong_request
from pipeline.errors import PipelineError

Add = Callable[[AddRequest], Added]

BANKS_ADD = "/banks/add"


def add_bank_routes(app: FastAPI, authorize: Callable[[str], None], add: Add) -> None:
    """`authorize` raises for a header that does not open the pages."""

    @app.post(BANKS_ADD)
    def banks_add(body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = "") -> Response:  # pyright: ignore[reportUnusedFunction]
        authorize(authorization)
        try:
            added = add(msgspec.convert(body, AddRequest))
        except msgspec.ValidationError as error:
            return wrong_request(error)
        except PipelineError as error:
            return refusal(error)
        return Response(msgspec.json.encode(added), media_type="application/json")

"""`POST /cameras/ID/mute`, `unmute`, `ack`, `arm`, `disarm`: people act on alerts. Behind the token, like `/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Header, Response

from pipeline.control.serving.http_errors import refusal, wrong_request
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest
from pipeline.frame_path.publisher.wire_actions import Action

Act = Callable[[str, ActionRequest], Acted]


def add_action_routes(app: FastAPI, authorize: Callable[[str], None], act: Act) -> None:
    """`authorize` raises for a header that does not open the pages."""

    @app.post("/cameras/{camera}/{action}")
    def camera_action(  # pyright: ignore[reportUnusedFunction]
        camera: str,
        action: Action,
        body: Annotated[dict[str, Any], Body()],
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        authorize(authorization)
        try:
            acted = act(camera, msgspec.convert({**body, "action": action}, ActionRequest))
        except msgspec.ValidationError as error:
            return wrong_request(error)
        except PipelineError as error:
            return refusal(error)
        return Response(msgspec.json.encode(acted), media_type="application/json")

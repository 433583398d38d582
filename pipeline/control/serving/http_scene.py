"""`POST /scene/learn`: a camera's next frames show its empty place. Behind the token, like `/status`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Header, Response

from pipeline.control.serving.http_errors import refusal, wrong_request
from pipeline.control.view_lessons import LearnRequest, Learnt
from pipeline.errors import PipelineError

Learn = Callable[[LearnRequest], Learnt]

SCENE_LEARN = "/scene/learn"


def add_scene_routes(app: FastAPI, authorize: Callable[[str], None], learn: Learn) -> None:
    """`authorize` raises for a header that does not open the pages."""

    @app.post(SCENE_LEARN)
    def scene_learn(body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = "") -> Response:  # pyright: ignore[reportUnusedFunction]
        authorize(authorization)
        try:
            learnt = learn(msgspec.convert(body, LearnRequest))
        except msgspec.ValidationError as error:
            return wrong_request(error)
        except PipelineError as error:
            return refusal(error)
        return Response(msgspec.json.encode(learnt), media_type="application/json")

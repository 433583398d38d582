"""`/livez`, `/readyz`, `/metrics` for machines, `/status` for people with the token."""

from __future__ import annotations

import hmac
import socket
import threading
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pipeline.control.serving.health import Verdict, is_ready, judge
from pipeline.control.serving.http_actions import Act, add_action_routes
from pipeline.control.serving.http_banks import Add, add_bank_routes
from pipeline.control.serving.http_config import Apply, add_config_routes
from pipeline.control.serving.http_scene import Learn, add_scene_routes
from pipeline.control.serving.telemetry import registry
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.errors import PipelineError

Take = Callable[[], PipelineSnapshot]


def build_app(
    take: Take,
    required: frozenset[str],
    token: str | None,
    add: Add | None = None,
    act: Act | None = None,
    *,
    learn: Learn | None = None,
    apply: Apply | None = None,
) -> FastAPI:
    """The application over `take`, which returns the newest snapshot without waiting.

    Args:
        take: The newest snapshot.
        required: Sinks that replayable sources wait for.
        token: Opens `/status` and what changes something; None: they stay closed.
        add: What `POST /banks/add` does; left out: there is no such page.
        act: What `POST /cameras/ID/mute` and its like do; left out: there are no such pages.
        learn: What `POST /scene/learn` does; left out: there is no such page.
        apply: What `POST /config/apply` does; left out: there is no such page.
    """
    app = FastAPI(title="dinostream", openapi_url=None, docs_url=None, redoc_url=None)
    metrics = registry(take)

    @app.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    def readyz(response: Response) -> dict[str, Any]:
        snapshot = take()
        verdicts = judge(snapshot, required, snapshot.taken_ns)
        ready = is_ready(verdicts)
        response.status_code = 200 if ready else 503
        return {"ready": ready, "components": {each.component: _verdict(each) for each in verdicts}}

    @app.get("/metrics")
    def metrics_page() -> Response:
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    def authorize(authorization: str) -> None:
        if token is None:
            raise HTTPException(
                403, "set runtime.http.token to a secret's name to open /status, /banks, /cameras, /scene and /config"
            )
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "expected the header Authorization: Bearer TOKEN")

    if add is not None:
        add_bank_routes(app, authorize, add)
    if act is not None:
        add_action_routes(app, authorize, act)
    if learn is not None:
        add_scene_routes(app, authorize, learn)
    if apply is not None:
        add_config_routes(app, authorize, apply)

    @app.get("/status")
    def status(authorization: Annotated[str, Header()] = "") -> Response:
        authorize(authorization)
        return Response(msgspec.json.encode(take(), enc_hook=str), media_type="application/json")

    return app


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"ok": verdict.is_well, "fatal": verdict.is_fatal} | ({"reason": verdict.reason} if verdict.reason else {})


class HttpServer:
    """uvicorn on a thread of its own, over a socket that is bound before it starts."""

    def __init__(self, app: FastAPI, bind: str) -> None:
        """Binds `host:port`; port 0 picks a free one.

        Raises:
            PipelineError: the address cannot be bound.
        """
        host, _, port = bind.rpartition(":")
        try:
            self._socket = socket.create_server((host, int(port)))
        except (OSError, ValueError, OverflowError) as error:
            msg = f"cannot serve on {bind!r}: expected a free host:port, got {error}. Change runtime.http.bind"
            raise PipelineError(msg, code="bind") from None
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def address(self) -> str:
        """`host:port` as bound."""
        host, port = self._socket.getsockname()[:2]
        return f"{host}:{port}"

    def start(self) -> None:
        """Serves; connections made before it is up wait in the socket's queue."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the server."""
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

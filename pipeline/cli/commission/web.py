"""The page's server: hands out the picture and the state, takes what was drawn. Loopback alone."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from pipeline.cli.app import UserError
from pipeline.cli.commission.access import COOKIE, Access, is_here
from pipeline.cli.commission.asked import asked_of_page
from pipeline.cli.commission.draft_json import DraftError, draft_from_json
from pipeline.cli.commission.session import Session
from pipeline.cli.commission.shown import shown_state
from pipeline.cli.commission.work import Worker

_PAGE = Path(__file__).parent / "page"
_PARTS = {
    "index.html": "text/html",
    "commission.js": "text/javascript",
    "stage.js": "text/javascript",
    "lists.js": "text/javascript",
    "lessons.js": "text/javascript",
    "commission.css": "text/css",
}
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
_SPENT = "This address was used already, or is not the one that `commission` printed. Start `commission` again."


def build_page(session: Session, access: Access, finished: threading.Event) -> FastAPI:
    """The application.

    Args:
        session: One camera's; used by one request at a time.
        access: Who may.
        finished: Set when somebody presses Finish.
    """
    app = FastAPI(title="commission", openapi_url=None, docs_url=None, redoc_url=None)
    _add_guard(app, access)
    _add_page(app, access, session)
    _add_actions(app, session, finished)
    return app


def _add_guard(app: FastAPI, access: Access) -> None:
    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        is_first = request.url.path == "/open"
        if not is_here(request.headers.get("host", "")) or not (is_first or access.is_known(request.cookies)):
            return PlainTextResponse(_SPENT, 403)
        response: Response = await call_next(request)
        response.headers.update({"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
        return response

    @app.exception_handler(UserError)
    async def sentence(_: Request, error: UserError) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(DraftError)
    async def wrong_draft(_: Request, error: DraftError) -> Response:
        return JSONResponse({"error": str(error)}, 400)


def _add_page(app: FastAPI, access: Access, session: Session) -> None:
    @app.get("/open")
    def open_page(token: str = "") -> Response:
        cookie = access.exchange(token)
        if cookie is None:
            return PlainTextResponse(_SPENT, 403)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict")
        return response

    @app.get("/")
    def page() -> Response:
        return _file("index.html")

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        return _file(name)

    @app.get("/picture.png")
    def picture() -> Response:
        return Response(_png(session.picture), media_type="image/png")


def _add_actions(app: FastAPI, session: Session, finished: threading.Event) -> None:
    worker, lock = Worker(session), threading.Lock()

    @app.get("/state")
    def state() -> dict[str, Any]:
        with lock:
            return shown_state(session, is_busy=worker.is_busy)

    @app.post("/picture")
    def take_picture() -> dict[str, Any]:
        with lock:
            _check_idle(worker)
            session.take_picture()
            return shown_state(session, is_busy=False)

    @app.put("/draft")
    def draft(value: dict[str, Any]) -> dict[str, Any]:
        with lock:
            _check_idle(worker)
            session.redraw(draft_from_json(value))
            return shown_state(session, is_busy=False)

    @app.post("/steps/{name}")
    def step(name: str, value: dict[str, Any]) -> dict[str, Any]:
        with lock:
            worker.start(asked_of_page(name, value))
            return shown_state(session, is_busy=True)

    @app.post("/stops/{number}/forget")
    def forget(number: int) -> dict[str, Any]:
        with lock:
            _check_idle(worker)
            session.forget(number)
            return shown_state(session, is_busy=False)

    @app.post("/save")
    def save(value: dict[str, Any]) -> dict[str, Any]:
        with lock:
            _check_idle(worker)
            saved = session.save(may_replace=value.get("replace") is True)
            return {"saved": asdict(saved), "state": shown_state(session, is_busy=False)}

    @app.post("/finish")
    def finish() -> dict[str, Any]:
        finished.set()
        return {}


def _check_idle(worker: Worker) -> None:
    if worker.is_busy:
        raise UserError("a step is under way: wait until it ends")


def _file(name: str) -> Response:
    if name not in _PARTS:
        return PlainTextResponse("no such part of the page", 404)
    return Response((_PAGE / name).read_bytes(), media_type=_PARTS[name])


def _png(rgb: np.ndarray) -> bytes:
    is_encoded, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert is_encoded, "a picture of three bytes a pixel is a PNG"
    return data.tobytes()

"""A session as the page shows it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.cli.commission.draft_json import draft_to_json
from pipeline.cli.commission.drive_ins import stop_rows
from pipeline.cli.commission.overlay import advice, floor_grid, lines_shown, pose_shown
from pipeline.cli.commission.session import Session


def shown_state(session: Session, *, is_busy: bool) -> dict[str, Any]:
    """Everything that the page shows."""
    floor, view = session.floor, session.posed.view
    return {
        "camera": session.target.name,
        "source": session.target.camera.source.shown,
        "file": str(session.target.file),
        "is_new": session.target.is_new,
        "size": session.size,
        "draft": draft_to_json(session.draft),
        "view": None if view is None else view.model_dump(),
        "pose": pose_shown(session),
        "advice": advice(session.posed.pose),
        "grid": [] if floor is None else [asdict(line) for line in floor_grid(floor)],
        "lines": lines_shown(session),
        "stops": [asdict(row) for row in stop_rows(session.teaching.metres)],
        "is_file": session.target.camera.source.file is not None,
        "is_simulated": session.target.camera.source.simulated is not None,
        "mistakes": session.mistakes(),
        "steps": {step: asdict(each) for step, each in session.steps.items()},
        "is_busy": is_busy,
    }

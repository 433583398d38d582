"""Takes a proven offset off the distances of one frame."""

from __future__ import annotations

from dataclasses import replace

from operators.results import Analysis, LineDistance, Subject
from operators.scene.residuals import MeasuredMetres


def corrected(analysis: Analysis, metres: MeasuredMetres | None) -> Analysis:
    """The same with the camera's drive-ins applied; they are then one of the artefacts that it names.

    Args:
        analysis: Of one frame, as read.
        metres: The camera's drive-ins; None: there are none, and nothing changes.
    """
    if metres is None or analysis.depth is None:
        return analysis
    subjects = tuple(_subject(each, metres) for each in analysis.subjects)
    return replace(analysis, subjects=subjects, artefacts=(*analysis.artefacts, metres.version))


def _subject(subject: Subject, metres: MeasuredMetres) -> Subject:
    return replace(subject, distances=tuple(_distance(each, metres) for each in subject.distances))


def _distance(distance: LineDistance, metres: MeasuredMetres) -> LineDistance:
    """The contact distance stays: it is the diagnosis beside it."""
    return replace(distance, metres=distance.metres - metres.offsets_metres.get(distance.line, 0.0))

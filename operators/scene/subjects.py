"""Finds what stands in front of the learnt empty view, and how far it is from lines on the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from operators.geometry import FloorCamera, signed_distance
from operators.results import LineDistance, Subject
from operators.scene.config import Line
from operators.scene.empty_view import EmptyView
from operators.scene.grouping import MIN_PATCHES, connected, split_subjects

CLOSER_SHARE = 0.05
"""A patch of a subject is at least this much nearer than the empty view. Source: own measurements: without it one of
two draws of four lights called half of all empty frames a subject."""

MIN_SURE = 2
"""Patches that are new and nearer, from which on what touches them may be less new: a thin person has hardly three."""

CLEARLY_CLOSER_SHARE = 0.15
"""From here on depth has a say of its own: a patch may look less new, and while the view has seen one light, whose
tokens cannot be trusted, depth does alone. A new shadow reads up to this much nearer."""

LESS_NEW_IF_CLOSER = 2.0
"""The closer a patch is, the less new it must look: each 10 % beyond `CLEARLY_CLOSER_SHARE` takes 20 % off the
threshold. Source: own measurements, on other sites than those judged."""

LEAST_NEW_SHARE = 0.6
"""Of the view's threshold, however close: depth alone finds people who are not there, above all at night, when the foot
of a far wall reads 40 % nearer than all else. Source: own measurements on 23 sites: at 0.7 the first movers are missed,
at 0.5 a night has a subject."""

PERCENTILE = 25.0
"""Of ground distance over a subject's patches. Lower percentiles turn the depth into a contact point."""


def view_tokens(patches: np.ndarray) -> np.ndarray:
    """L2-normalised float16 copies of raw patch tokens of block 2, as `ViewSample` and `find_subjects` take them.

    Args:
        patches: float (..., D).
    """
    values = patches.astype(np.float32)
    norms = np.linalg.norm(values, axis=-1, keepdims=True)
    return (values / np.maximum(norms, 1e-6)).astype(np.float16)


def subject_patches(view: EmptyView, log_depth: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Bool (h, w): patches that are nearer and look new; with a view of one light, patches that are clearly nearer.

    Nearer means more so than what looks as ever. Where nothing is surely new, less will do the nearer a patch is, and
    beside `MIN_SURE` patches that are new. Beside a thing that surely is it does not: that began an alert three seconds
    early.
    """
    closer = view.closer_by(log_depth)
    if view.is_one_light:
        return closer >= CLEARLY_CLOSER_SHARE
    newness = view.newness(tokens).reshape(closer.shape)
    is_new = newness > 1
    sure = is_new & (_closer_than_frame(view, log_depth, ~is_new, parts=1) >= CLOSER_SHARE)
    if any(group.sum() >= MIN_PATCHES for group in connected(sure)):
        return sure
    closer = _closer_than_frame(view, log_depth, ~is_new, parts=2)
    is_nearer = closer >= CLOSER_SHARE
    share = np.clip(1.0 - LESS_NEW_IF_CLOSER * (closer - CLEARLY_CLOSER_SHARE), LEAST_NEW_SHARE, 1.0)
    found = is_nearer & (newness > share)
    around = connected(is_nearer & (newness > LEAST_NEW_SHARE))
    return np.logical_or.reduce([found, *(group for group in around if (group & is_new).sum() >= MIN_SURE)])


def _closer_than_frame(view: EmptyView, log_depth: np.ndarray, is_as_ever: np.ndarray, *, parts: int) -> np.ndarray:
    """Float (h, w): the share by which each patch is nearer, after what the whole frame reads too near or too far.

    In a light that the depth head does not know well that may be a third, and twice as much far away as near the
    camera.

    Args:
        view: the learnt empty view.
        log_depth: float (h, w), NaN where invalid: not nearer.
        is_as_ever: bool (h, w) patches that look like something learnt.
        parts: they are sorted by depth into so many; the median of each counts, and in between what lies between.
    """
    ratio = log_depth.astype(np.float32) - view.log_depth
    has_depth = np.isfinite(ratio)
    depths, ratios = view.log_depth[is_as_ever & has_depth], ratio[is_as_ever & has_depth]
    sorted_parts = [part for part in np.array_split(np.argsort(depths, kind="stable"), parts) if part.size]
    at = [float(np.median(depths[part])) for part in sorted_parts]
    too_far = [float(np.median(ratios[part])) for part in sorted_parts]
    of_frame = np.interp(view.log_depth, at, too_far) if at else 0.0
    return np.where(has_depth, 1.0 - np.exp(ratio - of_frame), 0.0)


def find_subjects(
    view: EmptyView,
    log_depth: np.ndarray,
    tokens: np.ndarray,
    camera: FloorCamera,
    lines: Mapping[str, Line],
    *,
    relative_error: float = 0.12,
    parts_of: Callable[[np.ndarray], list[np.ndarray]] | None = None,
) -> list[Subject]:
    """Every subject of one frame, the nearest to the camera's foot line first.

    Args:
        view: the learnt empty view.
        log_depth: float (h, w) natural log of metres, NaN where invalid.
        tokens: float (N, D) L2-normalised tokens of block 2, row-major.
        camera: at this frame's shape.
        lines: floor lines by name.
        relative_error: the depth head's own, as a share of the distance; part of sigma.
        parts_of: cuts bool (h, w) patches at one distance into what is called differently; left out: nothing does.

    Raises:
        ValueError: the shapes do not fit the view.
    """
    if log_depth.shape != view.log_depth.shape:
        raise ValueError(f"log_depth must be {view.log_depth.shape} as in the view, got {log_depth.shape}")
    candidates = subject_patches(view, log_depth, tokens)
    depth = np.exp(log_depth.astype(np.float64))
    ahead = camera.ground_distance(depth)
    distances = {name: camera.ground_distance(depth, line) for name, line in lines.items()}
    lost = np.isfinite(view.log_depth) & ~np.isfinite(log_depth)
    found: list[tuple[float, Subject]] = []
    for group in split_subjects(candidates, ahead):
        parts = group if parts_of is None else [part for each in group for part in parts_of(each)]
        whole = np.logical_or.reduce(parts)
        nearest = float(np.percentile(ahead[whole], PERCENTILE))
        for part in parts:
            metres = max(nearest, float(np.percentile(ahead[part], PERCENTILE)))
            subject = _subject(part, whole, camera, lines, distances=distances, relative_error=relative_error)
            found.append((metres, replace(subject, invalid_share=_share_lost(part, lost))))
    return [subject for _, subject in sorted(found, key=lambda each: each[0])]


def _subject(
    mask: np.ndarray,
    whole: np.ndarray,
    camera: FloorCamera,
    lines: Mapping[str, Line],
    *,
    distances: Mapping[str, np.ndarray],
    relative_error: float,
) -> Subject:
    """One part of a group. It reads no nearer than the group: the near end of a van is no subject of its own."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = float(columns[0]) / width, float(columns[-1] + 1) / width
    top, bottom = float(rows[0]) / height, float(rows[-1] + 1) / height
    found: list[LineDistance] = []
    for name, line in lines.items():
        values = distances[name][mask]
        values = values[np.isfinite(values)]
        if values.size == 0:
            continue
        metres = max(_percentile(values), _percentile(distances[name][whole]))
        spread = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349 / np.sqrt(values.size)
        from_foot = metres - _of_foot(line)  # what depth tells, and so what it errs by
        found.append(
            LineDistance(
                line=name,
                metres=metres,
                sigma_metres=float(np.hypot(spread, 1.4826 * relative_error * from_foot)),
                contact_metres=camera.contact_distance(mask, line),
            )
        )
    return Subject(box=(left, top, right, bottom), mask=mask, distances=tuple(found))


def _percentile(metres: np.ndarray) -> float:
    return float(np.percentile(metres[np.isfinite(metres)], PERCENTILE))


def _of_foot(line: Line) -> float:
    """Metres from a line to the camera's foot; at most 0, since what lies beyond the line is positive."""
    return float(signed_distance(np.zeros(()), np.zeros(()), line))


def _share_lost(mask: np.ndarray, lost: np.ndarray) -> float:
    """Share of a subject without valid depth: such patches cannot be in its mask, so they are sought in its box.

    Args:
        mask: bool (h, w) its patches.
        lost: bool (h, w) patches that have no depth now, and have one in the empty view.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = lost[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return float(box.sum() / (box.sum() + mask.sum()))

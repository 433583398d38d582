"""Which pictures `analyze` draws, and when: depth and segments at once, what needs all pictures at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from operators.feature_colours import fit_colours
from operators.frames import grid_of
from operators.results import Analysis, Depth
from pipeline.cli.app import UserError
from pipeline.cli.inputs import NamedPicture
from pipeline.cli.pictures.depth import coloured, draw_depth, draw_inverse, inverse_map, scale_ends, upsampled
from pipeline.cli.pictures.features import draw_features, feature_map
from pipeline.cli.pictures.kept import KeptPictures
from pipeline.cli.pictures.lettering import save
from pipeline.cli.pictures.neighbours import Likeness, draw_neighbours, nearest
from pipeline.cli.pictures.overview import Overview, Row
from pipeline.cli.pictures.panels import seen_part
from pipeline.cli.pictures.segments import draw_segments, tinted

KINDS = ("depth", "segments", "pca", "neighbours")
_NEIGHBOURS = 4
_APART_NS = 1_000_000_000
"""Frames of a video that are nearer in time show the same moment."""


def parse_kinds(text: str, applicable: dict[str, str]) -> tuple[str, ...]:
    """`all`, `none`, or names with commas.

    Args:
        text: As written.
        applicable: Kinds that cannot be drawn, and why.

    Raises:
        UserError: an unknown kind, or one that was named and cannot be drawn.
    """
    if text in {"all", "none"}:
        return tuple(kind for kind in KINDS if kind not in applicable) if text == "all" else ()
    named = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    for kind in named:
        if kind not in KINDS:
            raise UserError(f"--pictures: expected all, none or some of {','.join(KINDS)}, got {kind!r}")
        if kind in applicable:
            raise UserError(f"--pictures {kind}: {applicable[kind]}")
    return named


class RunPictures:
    """Draws as the run goes; `finish` draws what needs every picture. Blocks; not thread-safe."""

    def __init__(self, out: Path, kinds: Sequence[str], kept: KeptPictures, patch: int) -> None:
        """`patch`: side of a patch of the backbone in pixels."""
        self._folder = out / "pictures"
        self._out = out
        self._kinds = kinds
        self._kept = kept
        self._patch = patch
        self._names: list[str] = []
        self._times_ns: list[int] = []
        self._overview = Overview()
        self.num_written = 0

    @property
    def wants_patches(self) -> bool:
        return "pca" in self._kinds

    def add(self, picture: NamedPicture, analysis: Analysis) -> None:
        """Draws what one picture alone can show, and keeps the rest for the end."""
        if not self._kinds:
            return
        rgb = seen_part(picture.rgb, analysis.placement)
        self._names.append(picture.name)
        self._times_ns.append(-1 if picture.pts_ns is None else picture.pts_ns)
        row = self._overview.next_row() or Row(-1)
        row.add(picture.name, rgb)
        if "depth" in self._kinds and analysis.depth is not None:
            self._draw_depth(picture.name, rgb, analysis.depth, row)
        if "depth" in self._kinds and analysis.inverse_depth is not None:
            self._save(picture.name, "depth", draw_inverse(rgb, analysis.inverse_depth.values))
            row.add("inverse depth", inverse_map(rgb, analysis.inverse_depth.values))
        if "segments" in self._kinds:
            for each in analysis.segments:
                drawn = draw_segments(rgb, each.indices, each.classes, each.shares, f"segments: {each.head}")
                kind = "segments" if len(analysis.segments) == 1 else f"segments_{each.head}"
                self._save(picture.name, kind, drawn)
                row.add(f"segments: {each.head}", tinted(rgb, each.indices, len(each.classes)))
        if self.wants_patches or "neighbours" in self._kinds:
            self._kept.keep(rgb, analysis.patches, grid_of(analysis.placement.model_size, self._patch))

    def finish(self, embeddings: np.ndarray, spaces: Sequence[str]) -> None:
        """Features in colours that all pictures share, neighbours, and a sheet of the run.

        Args:
            embeddings: float (n, D) of every picture, L2-normalised.
            spaces: Of each.
        """
        if self.wants_patches:
            self._draw_features()
        if "neighbours" in self._kinds and len(self._names) > 1:
            self._draw_neighbours(embeddings.astype(np.float32), np.array(spaces))
        if (sheet := self._overview.draw()) is not None:
            save(self._out / "sheet.jpg", sheet)

    def _draw_depth(self, name: str, rgb: np.ndarray, depth: Depth, row: Row) -> None:
        note = "" if depth.is_calibrated else "; not metres of this camera"
        self._save(name, "depth", draw_depth(rgb, depth.metres, note=note))
        full = upsampled(depth.metres.astype(np.float32), (rgb.shape[0], rgb.shape[1]))
        if (ends := scale_ends(full)) is not None:
            row.add(f"depth {ends[0]:g} to {ends[1]:g} m", coloured(full, ends))

    def _draw_features(self) -> None:
        colours = fit_colours(self._kept.patches)
        shown = {row.index: row for row in self._overview.chosen()}
        for index, name in enumerate(self._names):
            tokens, grid = self._kept.tokens(index)
            rgb = self._kept.picture(index)
            self._save(name, "pca", draw_features(rgb, tokens, grid, colours))
            if index in shown:
                shown[index].add("patch features", feature_map(rgb, tokens, grid, colours))

    def _draw_neighbours(self, vectors: np.ndarray, spaces: np.ndarray) -> None:
        times_ns = np.array(self._times_ns, np.int64)
        title = f"most similar of {len(self._names)} pictures, by cosine of their embeddings"
        for row, name in enumerate(self._names):
            found = nearest(
                vectors,
                row,
                count=_NEIGHBOURS,
                excluded=spaces != spaces[row],
                times_ns=times_ns,
                apart_ns=_APART_NS,
            )
            likenesses = [Likeness(self._names[each], self._kept.picture(each), cosine) for each, cosine in found]
            self._save(name, "neighbours", draw_neighbours(name, self._kept.picture(row), likenesses, title))

    def _save(self, name: str, kind: str, rgb: np.ndarray) -> None:
        save(self._folder / f"{name}_{kind}.jpg", rgb)
        self.num_written += 1

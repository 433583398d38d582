"""Everything that `try` keeps of the pictures it looks at, and the pictures it draws of them at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.analyzer import Analyzer
from operators.feature_colours import fit_colours
from operators.frames import grid_of
from operators.results import Depth
from pipeline.cli.analyze_model import Shapes, item_of
from pipeline.cli.inputs import NamedPicture
from pipeline.cli.pictures.depth import draw_depth
from pipeline.cli.pictures.features import draw_features
from pipeline.cli.pictures.kept import KeptPictures
from pipeline.cli.pictures.lettering import save, titled
from pipeline.cli.pictures.neighbours import Likeness, draw_neighbours, nearest
from pipeline.cli.pictures.outlines import outlined
from pipeline.cli.pictures.panels import below, contact_sheet, seen_part
from pipeline.cli.pictures.segments import percent
from pipeline.cli.tryout.novelty import FirstSeconds
from pipeline.cli.tryout.watcher import Seen

NUM_FIRST = 4
"""Pictures that count as the first seconds."""
APART_SECONDS = 2.0
"""Moments that are nearer to each other are one."""
NUM_EARLIER = 3
_NUM_NEW, _NEW_CELL = 4, (300, 533)


@dataclass(frozen=True, slots=True)
class NewThings:
    """One moment at which something was new."""

    row: int
    seconds: float
    masks: tuple[np.ndarray, ...]
    """Bool (h, w), one per group."""
    share: float
    """Of the picture."""

    @property
    def text(self) -> str:
        """`00:12.5  2 new areas, 6 % of the picture`."""
        areas = "1 new area" if len(self.masks) == 1 else f"{len(self.masks)} new areas"
        return f"{clock_text(self.seconds)}  {areas}, {percent(self.share)} of the picture"


def clock_text(seconds: float) -> str:
    """`00:12.5`."""
    tenths = round(seconds * 10)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


class Session:
    """Looks at one picture after the other. Blocks; not thread-safe."""

    def __init__(self, folder: Path, analyzer: Analyzer, shapes: Shapes, kept: KeptPictures) -> None:
        self._folder = folder
        self._analyzer = analyzer
        self._shapes = shapes
        self._kept = kept
        self._first = FirstSeconds(NUM_FIRST)
        self._vectors: list[np.ndarray] = []
        self._depth: Depth | None = None
        self.seconds: list[float] = []
        """Of each picture."""
        self.new: list[NewThings] = []
        self.shape: tuple[int, int] = shapes[0]
        """(H, W) of the model's pictures."""

    def look(self, seen: Seen) -> None:
        """Analyses a picture and keeps what the end needs."""
        wanted = item_of(NamedPicture("", seen.rgb), self._shapes, wants_patches=True, wants_view_sample=True)
        analysis = self._analyzer.analyze([wanted])[0]
        assert analysis.embedding is not None, "the nameless camera has the embedding head"
        assert analysis.view_sample is not None, "the item asked for it"
        self.shape = analysis.placement.model_size
        grid = grid_of(self.shape, self._analyzer.patch)
        row = self._kept.keep(seen_part(seen.rgb, analysis.placement), analysis.patches, grid)
        self.seconds.append(seen.seconds)
        self._vectors.append(analysis.embedding.astype(np.float32))
        self._depth = analysis.depth
        masks = self._first.new_in(analysis.view_sample, grid)
        if masks:
            share = float(np.logical_or.reduce(masks).mean())
            self.new.append(NewThings(row, seen.seconds, tuple(masks), share))

    def draw_latest(self) -> Path:
        """The newest picture, with its depth where there is any."""
        row = len(self._kept) - 1
        rgb = self._kept.picture(row)
        if self._depth is None:
            return save(self._folder / "latest.jpg", titled(rgb, clock_text(self.seconds[row])))
        note = "" if self._depth.is_calibrated else "; not metres of this camera (give --hfov)"
        what = f"{clock_text(self.seconds[row])}  depth"
        return save(self._folder / "depth.jpg", draw_depth(rgb, self._depth.metres, what=what, note=note))

    def draw_features(self) -> Path:
        """The first and the last picture and the one with the most that is new, in colours that all pictures share."""
        colours = fit_colours(self._kept.patches)
        rows = {0, len(self._kept) - 1, *(each.row for each in self._newest_apart()[:1])}
        drawn: list[np.ndarray] = []
        for row in sorted(rows):
            tokens, grid = self._kept.tokens(row)
            what = f"{clock_text(self.seconds[row])}  patch features"
            drawn.append(draw_features(self._kept.picture(row), tokens, grid, colours, what))
        return save(self._folder / "pca.jpg", below(drawn))

    def draw_new(self) -> tuple[Path, Sequence[NewThings]] | None:
        """The moments with the most that is new, outlined; None: nothing was."""
        chosen = self._newest_apart()
        if not chosen:
            return None
        cells = [(each.text, outlined(self._kept.picture(each.row), each.masks)) for each in chosen]
        return save(self._folder / "new.jpg", contact_sheet(cells, min(2, len(cells)), _NEW_CELL)), chosen

    def draw_earlier(self) -> tuple[Path, Sequence[tuple[float, float]]] | None:
        """Earlier moments most like the latest one of `draw_new`, else like the last picture.

        Cosines are of embeddings less the mean of the run: what all pictures of one camera share says nothing.

        Returns:
            The picture, and (seconds, cosine) of each moment; None: there is no earlier one.
        """
        vectors = np.stack(self._vectors)
        vectors -= vectors.mean(axis=0)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        query = max((each.row for each in self._newest_apart()), default=len(vectors) - 1)
        times_ns = (np.array(self.seconds) * 1e9).astype(np.int64)
        later = np.arange(len(vectors)) > query
        apart_ns = round(APART_SECONDS * 1e9)
        found = nearest(vectors, query, count=NUM_EARLIER, excluded=later, times_ns=times_ns, apart_ns=apart_ns)
        if not found:
            return None
        likenesses = [Likeness(clock_text(self.seconds[row]), self._kept.picture(row), cosine) for row, cosine in found]
        asked = clock_text(self.seconds[query])
        title = f"earlier moments most like {asked} (cosine of embeddings less their mean)"
        strip = draw_neighbours(asked, self._kept.picture(query), likenesses, title)
        return save(self._folder / "earlier.jpg", strip), [(self.seconds[row], cosine) for row, cosine in found]

    def _newest_apart(self) -> list[NewThings]:
        """Moments with the most that is new, largest first, no two of one moment."""
        chosen: list[NewThings] = []
        for each in sorted(self.new, key=lambda new: -new.share):
            is_apart = all(abs(each.seconds - other.seconds) >= APART_SECONDS for other in chosen)
            if is_apart and len(chosen) < _NUM_NEW:
                chosen.append(each)
        return chosen

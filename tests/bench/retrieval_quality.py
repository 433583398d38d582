"""Which vector finds the same kind of thing at *other* cameras: precision@10, side by side.

`python -m tests.bench.retrieval_quality` draws one mover at a time (forklift, truck, person, van) before simulated
docks that nothing was fitted on, each dock a camera of its own with a learnt empty view. Every picture asks for its
neighbours among the pictures of all other cameras; one of the same kind counts. Pictures in which the system finds no
subject are in no gallery, as in the product, and are reported. A second table asks with the picture itself, as `search`
does with and without a box, for the default vectors of all other cameras. Exit status 1 if the default of the gallery
does not beat the plain class token by 0.1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.backbone.architectures import DINOV2_PATCH
from operators.backbone.engine import EngineOutput
from operators.frames import grid_of
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DepthLinear
from operators.heads.embedding import pool
from operators.heads.shipped import shipped_head
from operators.results import ViewSample
from operators.retrieval.query import figure, standing_out
from operators.retrieval.vectors import unit
from operators.scene.empty_view import VIEW_BLOCK, EmptyView, build_view
from operators.scene.subjects import find_subjects, view_tokens
from pipeline.simulation import POSES, Light, MoverState, placed
from tests.bench.label_pictures import SHAPE, Shot, Site
from tests.bench.lanes import in_lanes

CLASSES = ("forklift", "truck", "person", "van")
SEEDS_FROM = 910_000
K = 10
GEM_POWER = 3.0
"""Source: Radenovic et al., arXiv 1711.02512, section 3.2: the power that fine-tuning settles near."""
PLAIN, DEFAULT = "class token", "mean of subject patches"
GAIN = 0.1


@dataclass(frozen=True)
class Seen:
    """One picture in which a subject was found, and the vectors that could stand for it."""

    camera: int
    label: int
    vectors: dict[str, np.ndarray]
    queries: dict[str, np.ndarray]
    """What somebody could ask with who has the picture."""


class Camera:
    """A dock with its learnt view and the means of its empty pictures."""

    def __init__(self, engine: Engine, depth: DepthLinear, number: int) -> None:
        self._engine, self._depth = engine, depth
        self._pose = sorted(POSES)[number % len(POSES)]
        self.site = Site(self._pose, SEEDS_FROM + number)
        self._camera: FloorCamera | None = None
        self.view, self._empty_cls, self._empty_patches = self._learn()

    def _run(self, shots: Sequence[Shot]) -> EngineOutput:
        blocks = sorted({VIEW_BLOCK, *self._depth.about.blocks})
        return self._engine.run(np.stack([shot.pixels for shot in shots]), blocks)

    def _log_depth(self, shot: Shot, row: int, out: EngineOutput) -> tuple[np.ndarray, FloorCamera]:
        camera = FloorCamera(POSES[self._pose].view(), SHAPE, shot.item.placement)
        taps = {block: (cls[row : row + 1], patches[row : row + 1]) for block, (cls, patches) in out.taps.items()}
        grid = grid_of(SHAPE, self._engine.backbone.arch.patch)
        return np.log(self._depth.predict(taps, grid, camera.focal[1])[0]), camera

    def _learn(self) -> tuple[EmptyView, np.ndarray, np.ndarray]:
        samples: list[list[ViewSample]] = []
        cls: list[np.ndarray] = []
        patches: list[np.ndarray] = []
        for shots in self.site.empty():
            out = self._run(shots)
            cls.extend(out.cls)
            patches.extend(out.patches)
            samples.append(
                [
                    ViewSample(
                        self._log_depth(shot, row, out)[0].astype(np.float16),
                        view_tokens(out.taps[VIEW_BLOCK][1][row]),
                        float(shot.pixels.mean()),
                    )
                    for row, shot in enumerate(shots)
                ]
            )
        return build_view(samples), np.mean(cls, axis=0), np.mean(patches, axis=0)

    def vectors(self, shots: list[Shot]) -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None]:
        """Vectors and queries by name; None where no subject is found."""
        out = self._run(shots)
        found: list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None] = []
        for row, shot in enumerate(shots):
            log_depth, camera = self._log_depth(shot, row, out)
            tokens = view_tokens(out.taps[VIEW_BLOCK][1][row])
            masks = [subject.mask for subject in find_subjects(self.view, log_depth, tokens, camera, {})]
            patches = out.patches[row]
            found.append((self._of(shot, out.cls[row], patches, masks), queries(shot, patches)) if masks else None)
        return found

    def _of(
        self, shot: Shot, cls: np.ndarray, patches: np.ndarray, masks: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray]:
        mask = max(masks, key=np.sum).ravel()
        true = shot.patches[0].ravel()
        return {
            PLAIN: cls,
            "class token minus the camera's empty mean": cls - self._empty_cls,
            "GeM of all patches": gem(patches),
            DEFAULT: patches[mask].mean(axis=0),
            "mean of subject patches minus the same patches of the empty view": (patches - self._empty_patches)[
                mask
            ].mean(axis=0),
            "GeM of subject patches": gem(patches[mask]),
            "mean of the patches of the true mask (what better masks could give)": patches[true].mean(axis=0),
        }


def queries(shot: Shot, patches: np.ndarray) -> dict[str, np.ndarray]:
    """By name: the whole picture, and the box around the mover, wider by a patch on each side."""
    grid = grid_of(SHAPE, DINOV2_PATCH)
    rows, columns = np.nonzero(shot.patches[0])
    box = np.zeros(grid, bool)
    box[max(0, rows.min() - 1) : rows.max() + 2, max(0, columns.min() - 1) : columns.max() + 2] = True
    return {
        "no box: mean of all patches": patches.mean(axis=0),
        "no box: what is least like the picture's edge (default)": pool(patches, standing_out(patches, grid)),
        "a box, wider by a patch": pool(patches, figure(patches, box)),
    }


def gem(patches: np.ndarray) -> np.ndarray:
    """Generalised mean over patches, (N, D) to (D,); what is negative counts as almost nothing.

    Source: Radenovic et al., arXiv 1711.02512, equation 2.
    """
    return (np.maximum(patches, 1e-6) ** GEM_POWER).mean(axis=0) ** (1 / GEM_POWER)


def shots(site: Site, per_class: int) -> Iterator[tuple[int, Shot]]:
    """(class, picture): one mover, `per_class` pictures of each class."""
    for label, name in enumerate(CLASSES):
        number = 0
        while number < per_class:
            rng = np.random.default_rng([61, site.seed, label, number])
            shot = None
            while shot is None or shot.patches[0].sum() < 4:
                shot = site._shot(
                    site._scene.render([_mover(rng, name)], Light.of(int(rng.integers(2**31))), number), number
                )
            number += 1
            yield label, shot


def _mover(rng: np.random.Generator, name: str) -> MoverState:
    while name == "van":
        mover = placed(rng, "other")
        if mover.appearance_seed % 2 == 0:  # odd: a drum cart
            return mover
    return placed(rng, name)  # pyright: ignore[reportArgumentType] - one of the kinds


def look(engine: Engine, depth: DepthLinear, cameras: int, per_class: int) -> tuple[list[Seen], int]:
    """Every picture in which a subject was found, and how many were drawn."""
    seen: list[Seen] = []
    drawn = 0
    for number in range(cameras):
        camera = Camera(engine, depth, number)
        asked = list(shots(camera.site, per_class))
        drawn += len(asked)
        for (label, _), found in zip(asked, in_lanes([shot for _, shot in asked], camera.vectors), strict=True):
            if found is not None:
                seen.append(Seen(number, label, *found))
    return seen, drawn


def precision(seen: Sequence[Seen], name: str) -> tuple[float, float]:
    """(precision@10 among other cameras, share of the first ten over all that are of the query's own camera)."""
    vectors = unit(np.stack([each.vectors[name] for each in seen]))
    labels, cameras = np.array([each.label for each in seen]), np.array([each.camera for each in seen])
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    anywhere = np.argsort(-cosines, axis=1)[:, :K]
    own = float((cameras[anywhere] == cameras[:, None]).mean())
    return elsewhere(cosines, labels, cameras), own


def elsewhere(cosines: np.ndarray, labels: np.ndarray, cameras: np.ndarray) -> float:
    """precision@10 among other cameras, mean over the classes; `cosines` (n, n), one row per query."""
    nearest = np.argsort(-np.where(cameras[:, None] == cameras[None], -np.inf, cosines), axis=1)[:, :K]
    hits = (labels[nearest] == labels[:, None]).mean(axis=1)
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


def table(seen: Sequence[Seen], drawn: int) -> str:
    """Markdown."""
    labels = np.array([each.label for each in seen])
    chance = float(((np.bincount(labels, minlength=len(CLASSES)) / len(labels)) ** 2).sum())
    num_cameras = len({each.camera for each in seen})
    lines = [
        f"{len(seen)} of {drawn} pictures of {num_cameras} cameras have a subject; by chance {chance:.2f}.",
        "",
        "| vector | precision@10 at other cameras | share of the query's own camera in the first ten |",
        "|---|---|---|",
    ]
    for name in seen[0].vectors:
        found, own = precision(seen, name)
        lines.append(f"| {name}{' (default)' if name == DEFAULT else ''} | {found:.2f} | {own:.2f} |")
    lines += ["", "| asked with the picture | precision@10 at other cameras |", "|---|---|"]
    kept = unit(np.stack([each.vectors[DEFAULT] for each in seen]))
    cameras = np.array([each.camera for each in seen])
    for name in seen[0].queries:
        asked = unit(np.stack([each.queries[name] for each in seen]))
        lines.append(f"| {name} | {elsewhere(asked @ kept.T, labels, cameras):.2f} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """0 if the gallery's default beats the plain class token by 0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=24)
    parser.add_argument("--per-class", type=int, default=5, help="pictures of each class per camera")
    parser.add_argument("--weights", default="standin")
    parser.add_argument("--keep", type=Path, help="keep the vectors in this .npz")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)  # lanes, not threads
    engine = Engine(load_backbone("dinov2_vits14", asked.weights), "fp32")
    depth = shipped_head(engine.backbone.fingerprint)
    if depth is None:
        print(f"no depth head comes with these weights ({asked.weights}): use standin")  # noqa: T201 - a bench's answer
        return 2
    seen, drawn = look(engine, depth, asked.cameras, asked.per_class)
    if asked.keep:
        names = list(seen[0].vectors)
        np.savez(
            asked.keep,
            labels=[each.label for each in seen],
            cameras=[each.camera for each in seen],
            names=names,
            vectors=np.stack([[each.vectors[name] for name in names] for each in seen]),
        )
    print(table(seen, drawn))  # noqa: T201 - a bench shows its table
    gain = precision(seen, DEFAULT)[0] - precision(seen, PLAIN)[0]
    print(f"\nThe default beats the plain class token by {gain:.2f} (asked: {GAIN:.2f}).")  # noqa: T201
    return 0 if gain >= GAIN else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

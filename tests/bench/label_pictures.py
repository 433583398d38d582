"""Pictures for the labels' acceptance, and the real analyzer over them: learnt view, subjects, banks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.architectures import DINOV2_PATCH
from operators.backbone.engine import EngineOutput
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times, grid_of
from operators.geometry import FloorCamera
from operators.heads.config import DepthHead, HeadConfig, KnnHead
from operators.heads.depth_linear import DepthLinear
from operators.heads.embedding import pool
from operators.results import Analysis
from operators.retrieval.bank import Bank
from operators.retrieval.build_bank import patch_mask
from operators.retrieval.vectors import VectorSet
from operators.scene.empty_view import VIEW_BLOCK, EmptyView, build_view
from operators.scene.subjects import find_subjects, view_tokens
from pipeline.simulation import KNOWN_KINDS, POSES, DockScene, Kind, Light, Rendered, placed_apart
from pipeline.simulation.training import placed
from tests.bench.crossings import crossings
from tests.bench.lanes import in_lanes

T = TypeVar("T")

SHAPE = (224, 392)
LEAST_PATCHES = 4
"""A mover of which the picture shows less is not asked about."""
LIGHTS_LEARNT = 4
SAMPLES_PER_LIGHT = 3


@dataclass(frozen=True)
class Shot:
    """One picture and which patches each mover covers by half."""

    kinds: tuple[Kind, ...]
    """Of the movers."""
    pixels: np.ndarray
    item: Item
    patches: tuple[np.ndarray, ...]
    """bool (h, w) per mover."""


class Site:
    """A dock that no head has seen. Bank, view and test pictures have lights and movers of their own."""

    def __init__(self, pose: str, seed: int) -> None:
        self.pose, self.seed = pose, seed
        self._scene = DockScene(seed, POSES[pose])

    def empty(self) -> Iterator[list[Shot]]:
        """Nobody there, under four lights; three moments of each."""
        for light in range(LIGHTS_LEARNT):
            seed = self.seed * 1000 + light
            yield [
                self._shot(self._scene.render([], Light.drift(seed, 15.0 * moment), moment), moment, sample=True)
                for moment in range(SAMPLES_PER_LIGHT)
            ]

    def shots(self, purpose: int, wanted: Iterable[Sequence[Kind]]) -> Iterator[Shot]:
        """One picture per entry of `wanted`, with movers of these kinds, all of them in view."""
        for number, kinds in enumerate(wanted):
            rng = np.random.default_rng([43, self.seed, purpose, number])
            while True:
                movers = placed_apart(rng, kinds)
                light = Light.of(int(rng.integers(2**31)))
                shot = self._shot(self._scene.render(movers, light, number), number)
                if len(movers) == len(kinds) and all(p.sum() >= LEAST_PATCHES for p in shot.patches):
                    break
            yield shot

    def clips(self, purpose: int, kinds: Sequence[Kind], frames: int) -> Iterator[list[Shot]]:
        """One clip for each of `kinds`: one mover comes nearer under a drifting light, one frame a second."""
        for number, kind in enumerate(kinds):
            rng = np.random.default_rng([47, self.seed, purpose, number])
            clip: list[Shot] = []
            while len(clip) < frames:
                first, light = placed(rng, kind, (1.6, 8.0)), int(rng.integers(2**31))
                step = float(rng.uniform(0.15, 0.5))
                states = [replace(first, y=first.y + step * (frames - 1 - index)) for index in range(frames)]
                clip = [
                    self._shot(self._scene.render([state], Light.drift(light, float(at)), number * 100 + at), at)
                    for at, state in enumerate(states)
                ]
                clip = [shot for shot in clip if shot.patches and shot.patches[0].sum() >= LEAST_PATCHES]
            yield clip

    def crossings(self, purpose: int, pairs: Sequence[tuple[Kind, Kind]]) -> Iterator[list[Shot]]:
        """One clip for each pair: the two pass each other (`tests.bench.crossings`)."""
        for number, clip in enumerate(crossings(self._scene, self.seed * 10 + purpose, pairs)):
            yield [self._shot(picture, number * 100 + at) for at, picture in enumerate(clip.render(self._scene))]

    def _shot(self, rendered: Rendered, number: int, *, sample: bool = False) -> Shot:
        pixels, placement = place(rendered.rgb, SHAPE)
        masks = (rendered.mover_map == index + 1 for index in range(len(rendered.kinds)))
        patches = tuple(patch_mask(m, placement, DINOV2_PATCH) if m.any() else np.zeros((16, 28), bool) for m in masks)
        times = Times(number, number, number, "arrival", 0)
        item = Item(Ticket("dock", 1, 0, number), times, placement, pixels, wants_view_sample=sample)
        return Shot(rendered.kinds, pixels, item, patches)


class Chain:
    """The analyzer as the pipeline uses it, over one site."""

    def __init__(self, engine: Engine, depth: DepthLinear, site: Site) -> None:
        self._engine, self._depth, self._site = engine, depth, site
        self._spec = CameraSpec("dock", SHAPE, ("depth",), POSES[site.pose].view(), {"dock": "here"})
        samples = [[a.view_sample for _, a in self.look(shots)] for shots in site.empty()]
        self.view: EmptyView = build_view(samples)

    def look(self, shots: Iterable[Shot], banks: dict[str, Bank] | None = None) -> Iterator[tuple[Shot, Analysis]]:
        """Two lanes of four pictures. `banks` are knn heads by name; a name that ends in `_paper` votes so."""
        banks = banks or {}
        heads: dict[str, HeadConfig] = {"depth": DepthHead(kind="depth")}
        for name in banks:
            heads[name] = KnnHead(kind="knn", bank=name, vote="paper" if name.endswith("_paper") else "whitened")
        stored = {f"head/{name}@1": bank.to_bytes() for name, bank in banks.items()}
        if hasattr(self, "view"):
            stored["view/dock@1"] = self.view.to_bytes()
        spec = CameraSpec("dock", SHAPE, tuple(heads), self._spec.view, self._spec.lines)
        analyzer = Analyzer(self._engine, heads, [spec], stored.__getitem__, {"depth": self._depth})

        def one(batch: list[Shot]) -> list[tuple[Shot, Analysis]]:
            items = [replace(shot.item, artefacts=tuple(stored)) for shot in batch]
            return list(zip(batch, analyzer.analyze(items), strict=True))

        return in_lanes(shots, one)

    def bank(self, per_class: int, *, purpose: int = 1, exact_masks: bool = False) -> Bank:
        """`per_class` pictures of each known kind, one mover each, masked by what the chain itself finds.

        A picture where it finds nothing gives the whole-frame vector alone, and counts.
        """
        wanted = [(kind,) for kind in KNOWN_KINDS for _ in range(per_class)]
        found = list(
            in_lanes(self._site.shots(purpose, wanted), lambda batch: self._things(batch, exact_masks=exact_masks))
        )
        backbone = self._engine.backbone
        labels = [KNOWN_KINDS.index(shot.kinds[0]) for shot, _, _ in found]
        whole = [cls for _, cls, _ in found]
        pooled = [thing for _, _, thing in found if thing is not None]
        pooled_labels = [label for label, (_, _, thing) in zip(labels, found, strict=True) if thing is not None]
        return Bank(
            KNOWN_KINDS,
            VectorSet.of(backbone.space(SHAPE), np.stack(whole), np.array(labels)),
            _pooled(backbone.space(SHAPE, tap="patches", pooling="mask_mean"), pooled, pooled_labels),
        )

    def things(self, shots: Iterable[Shot]) -> Iterator[tuple[Shot, np.ndarray, np.ndarray | None]]:
        """(shot, class token, mean of the largest subject's patches; None: the chain finds nobody)."""
        return in_lanes(shots, lambda batch: self._things(batch, exact_masks=False))

    def exact(self, shots: Iterable[Shot], bank: Bank) -> Iterator[tuple[Shot, list[str]]]:
        """What the bank calls each mover when its mask is the true one: what better masks could still give."""
        space = self._engine.backbone.space(SHAPE, tap="patches", pooling="mask_mean")

        def one(batch: list[Shot]) -> list[tuple[Shot, list[str]]]:
            patches = self._engine.run(np.stack([shot.pixels for shot in batch])).patches
            return [
                (shot, [votes.shares[0][0] for votes in bank.vote(_pooled_all(row, shot.patches), space, pooled=True)])
                for row, shot in zip(patches, batch, strict=True)
            ]

        return in_lanes(shots, one)

    def _things(self, batch: list[Shot], *, exact_masks: bool) -> list[tuple[Shot, np.ndarray, np.ndarray | None]]:
        """(shot, class token, mean of the largest subject's patches) from one pass."""
        blocks = sorted({VIEW_BLOCK, *self._depth.about.blocks})
        out = self._engine.run(np.stack([shot.pixels for shot in batch]), blocks)
        things: list[tuple[Shot, np.ndarray, np.ndarray | None]] = []
        for row, shot in enumerate(batch):
            masks = [shot.patches[0]] if exact_masks else self._masks(shot, row, out)
            thing = pool(out.patches[row], max(masks, key=np.sum)) if masks else None
            things.append((shot, out.cls[row], thing))
        return things

    def _masks(self, shot: Shot, row: int, out: EngineOutput) -> list[np.ndarray]:
        camera = FloorCamera(POSES[self._site.pose].view(), SHAPE, shot.item.placement)
        taps = {block: (cls[row : row + 1], patches[row : row + 1]) for block, (cls, patches) in out.taps.items()}
        metres = self._depth.predict(taps, grid_of(SHAPE, DINOV2_PATCH), camera.focal[1])[0]
        tokens = view_tokens(out.taps[VIEW_BLOCK][1][row])
        return [subject.mask for subject in find_subjects(self.view, np.log(metres), tokens, camera, {})]


def _pooled_all(patches: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([pool(patches, mask) for mask in masks])


def _pooled(space: str, vectors: list[np.ndarray], labels: list[int]) -> VectorSet | None:
    return VectorSet.of(space, np.stack(vectors), np.array(labels)) if vectors else None


def fewer(bank: Bank, counts: Sequence[int]) -> Bank:
    """The same bank with only the first `counts` things of each class."""

    def cut(given: VectorSet) -> VectorSet:
        rows = np.concatenate([np.flatnonzero(given.labels == c)[:n] for c, n in enumerate(counts)])
        return VectorSet.of(given.space, given.vectors[rows], given.labels[rows])

    return Bank(bank.classes, cut(bank.cls), cut(bank.pooled) if bank.pooled else None, bank.made_with)

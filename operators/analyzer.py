"""One pass over model-size pictures: the backbone once, then each head on the frames that want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from operators.backbone import Engine
from operators.camera import CameraSpec
from operators.frames import Item, grid_of
from operators.geometry import FloorCamera
from operators.heads.base import DepthModel, FrameTokens
from operators.heads.config import HeadConfig
from operators.heads.depth_heads import DepthHeads
from operators.heads.embedding import embedding, pool
from operators.heads.kinds import Head, build_head, head_kind
from operators.heads.segment import PatchSegments
from operators.labelling import Cut, Seen, label_all, parts_by_class
from operators.preview import fine_jpeg, preview_jpeg
from operators.recent import Recent
from operators.results import Analysis, ModelInfo, Segments, Subject, ViewSample
from operators.retrieval.bank import Bank
from operators.retrieval.build_bank import LabelledPicture, build_bank
from operators.scene.by_looks import subjects_by_looks
from operators.scene.empty_view import VIEW_BLOCK, EmptyView
from operators.scene.structure import gray_picture
from operators.scene.subjects import find_subjects, view_tokens
from operators.scene.view_check import check_view

_SPARE = 4
"""Artefacts kept beyond one per camera or head: versions change over while frames are in flight."""
_LUMA = (0.299, 0.587, 0.114)
"""Source: ITU-R BT.601."""


class Analyzer:
    """Pure: equal items and artefacts give equal analyses. Thread-safe: any number of lanes may call `analyze`."""

    def __init__(
        self,
        engine: Engine,
        heads: Mapping[str, HeadConfig],
        cameras: Sequence[CameraSpec],
        load_artefact: Callable[[str], bytes],
        depth: Mapping[str, DepthModel],
    ) -> None:
        """Checks that every depth head belongs to these weights.

        Args:
            engine: The backbone.
            heads: `heads:` of the configuration.
            cameras: Every camera whose frames may come.
            load_artefact: Bytes of a version such as `view/dock-03@12` or `head/vehicles@7` (the head's name).
            depth: Depth heads by head name, or `head@camera` for one fitted at that camera's view, which wins.

        Raises:
            HeadMismatchError: a depth head was fitted on other weights.
        """
        self._engine = engine
        self._cameras = {spec.camera: spec for spec in cameras}
        backbone = engine.backbone
        self._depth = DepthHeads(heads, depth, backbone.fingerprint, backbone.info.published_as)
        self._applied = {name for name, head in heads.items() if head_kind(head) is not None}
        self._view = Recent(len(cameras) + _SPARE, lambda name: EmptyView.from_bytes(load_artefact(name)))
        self._head = lru_cache(len(heads) + _SPARE)(
            lambda name, version: build_head(name, heads, load_artefact(version), backbone.device)
        )

    @property
    def patch(self) -> int:
        """Side of a patch of the backbone in pixels."""
        return self._engine.backbone.arch.patch

    @property
    def about(self) -> ModelInfo:
        """Which model this is."""
        backbone = self._engine.backbone
        shapes = sorted({spec.shape for spec in self._cameras.values()})
        return ModelInfo(
            name=backbone.arch.name,
            weights=backbone.info.weights,
            fingerprint=backbone.fingerprint,
            licence=backbone.info.licence,
            spaces={f"{height}x{width}": backbone.space((height, width)) for height, width in shapes},
        )

    def warm_up(self) -> None:
        """One pass per shape, so that the first frame does not pay for set-up."""
        self._warm_up({spec.shape for spec in self._cameras.values()})

    def _warm_up(self, shapes: Iterable[tuple[int, int]]) -> None:
        for height, width in shapes:
            self._engine.run(np.zeros((1, height, width, 3), np.uint8))

    def change(self, cameras: Sequence[CameraSpec]) -> None:
        """The cameras whose frames may come from now on, as they are configured now. Thread-safe: a frame under way is
        analysed as before.
        """
        shapes = {spec.shape for spec in cameras} - {spec.shape for spec in self._cameras.values()}
        self._view.room = len(cameras) + _SPARE
        self._cameras = {spec.camera: spec for spec in cameras}
        self._warm_up(shapes)

    def learn(self, pictures: Sequence[LabelledPicture]) -> Bank:
        """A bank of these pictures alone, by the backbone that the cameras use.

        Args:
            pictures: Of a camera's model size, one shape.

        Raises:
            BankError: there is none.
        """
        return build_bank(pictures, self._engine, sorted({picture.rgb.shape[:2] for picture in pictures}))

    def load(self, version: str) -> None:
        """Reads a head's artefact such as `head/vehicles@7` before a frame names it.

        Raises:
            ValueError: it is none of its kind.
        """
        self._head(version.partition("/")[2].rpartition("@")[0], version)

    def analyze(self, items: Sequence[Item]) -> list[Analysis]:
        """Results in the order of `items`. Blocks; pictures of one shape share a backbone pass.

        Raises:
            ValueError: an item is of an unknown camera, or an artefact does not fit it.
            SpaceMismatchError: a bank was built with other weights or shapes.
        """
        results: dict[int, Analysis] = {}
        for shape in dict.fromkeys(item.pixels.shape for item in items):
            rows = [row for row, item in enumerate(items) if item.pixels.shape == shape]
            results |= zip(rows, self._analyze_shape([items[row] for row in rows]), strict=True)
        return [results[row] for row in range(len(items))]

    def _analyze_shape(self, items: Sequence[Item]) -> list[Analysis]:
        specs = [self._camera(item) for item in items]
        pairs = list(zip(items, specs, strict=True))
        taps = sorted({block for pair in pairs for block in self._taps(*pair)})
        normed = sorted({block for pair in pairs for block in self._normed(*pair)})
        out = self._engine.run(np.stack([item.pixels for item in items]), taps, normed=normed)
        shape = (items[0].pixels.shape[0], items[0].pixels.shape[1])
        backbone = self._engine.backbone
        analyses: list[Analysis] = []
        for row, (item, spec) in enumerate(pairs):
            tokens = FrameTokens(
                cls=out.cls[row],
                patches=out.patches[row],
                taps=_row(out.taps, row),
                normed=_row(out.normed, row),
                grid=grid_of(shape, self.patch),
                cls_space=backbone.space(shape),
                pooled_space=backbone.space(shape, tap="patches", pooling="mask_mean"),
                registers=out.registers[row],
            )
            analyses.append(self._analyze_frame(item, spec, tokens))
        return analyses

    def _camera(self, item: Item) -> CameraSpec:
        spec = self._cameras.get(item.ticket.camera)
        if spec is None:
            known = ", ".join(sorted(self._cameras)) or "none"
            raise ValueError(f"unknown camera: expected one of {known}, got {item.ticket.camera!r} ({item.ticket.id})")
        return spec

    def _taps(self, item: Item, spec: CameraSpec) -> set[int]:
        blocks = set(self._depth.blocks(spec, normed=False))
        if item.wants_view_sample or _named(item, "view"):
            blocks.add(VIEW_BLOCK)
        heads = (each for each in self._heads(item, spec) if not isinstance(each, PatchSegments))
        return blocks.union(*(each.blocks for each in heads))

    def _normed(self, item: Item, spec: CameraSpec) -> set[int]:
        own = set(self._depth.blocks(spec, normed=True))
        return own.union(*(each.normed_blocks for each in self._heads(item, spec)))

    def _heads(self, item: Item, spec: CameraSpec) -> list[Head]:
        """Those of the camera, each with the version that the item names; without one a head says nothing."""
        versions = {name: _named(item, f"head/{name}") for name in spec.heads if name in self._applied}
        return [self._head(name, version) for name, version in versions.items() if version is not None]

    def _analyze_frame(self, item: Item, spec: CameraSpec, tokens: FrameTokens) -> Analysis:
        metres = self._depth.metres(spec, tokens.taps, tokens.grid, item.placement, tokens.normed)
        inverse = self._depth.inverse(spec, tokens.taps, tokens.grid, tokens.normed)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_depth = None if metres is None else np.log(metres)
        heads = self._heads(item, spec)
        seen = self._look(item, spec, tokens, log_depth, parts_by_class(heads, tokens))
        labels = label_all([each for each in heads if not isinstance(each, PatchSegments)], tokens, seen, spec.shape)
        subjects = labels.subjects
        if "embedding" in spec.heads:
            subjects = tuple(_with_vector(each, tokens) for each in subjects)
        is_kept = item.wants_thumbnail and (seen.view is None or bool(subjects))
        return Analysis(
            ticket=item.ticket,
            times=item.times,
            placement=item.placement,
            space=tokens.cls_space,
            subject_space=tokens.pooled_space if "embedding" in spec.heads else "",
            embedding=embedding(tokens.cls) if "embedding" in spec.heads else None,
            depth=None if metres is None else self._depth.result(spec, item.placement, metres),
            inverse_depth=None if inverse is None else self._depth.inverse_result(spec, item.placement, inverse),
            labels=labels.frame,
            segments=tuple(_segments(each, tokens, spec) for each in heads if isinstance(each, PatchSegments)),
            subjects=subjects,
            view=seen.view,
            view_lights=seen.lights,
            view_check=seen.check,
            artefacts=item.artefacts,
            preview=preview_jpeg(item.pixels) if item.wants_preview or is_kept else None,
            picture=fine_jpeg(item.pixels) if item.wants_picture else None,
            view_sample=_sample(item, tokens, log_depth) if item.wants_view_sample else None,
            patches=tokens.patches.astype(np.float16) if item.wants_patches else None,
        )

    def _look(
        self, item: Item, spec: CameraSpec, tokens: FrameTokens, log_depth: np.ndarray | None, parts_of: Cut | None
    ) -> Seen:
        """Subjects need the learnt view. With depth and a known pose they stand nearer; else looks alone tell them."""
        name = _named(item, "view")
        if name is None:
            return Seen(None, 0, ())
        view = self._view(name)
        if view.made_by not in {"", self._engine.backbone.fingerprint}:
            raise ValueError(
                f"{name} was learnt with other weights: expected {self._engine.backbone.fingerprint[:12]}, got "
                f"{view.made_by[:12]} ({item.ticket.id}). Let the camera learn its view again."
            )
        if view.thresholds.size != tokens.grid[0] * tokens.grid[1]:
            return Seen(None, 0, ())  # of a time when the camera's pictures had another shape: it learns a new one
        early = view_tokens(tokens.taps[VIEW_BLOCK][1][0])
        found = self._depth.of(spec)
        if log_depth is None or spec.view is None or found is None:
            subjects = subjects_by_looks(view, early, tokens.grid, parts_of)
        else:
            subjects = find_subjects(
                view,
                log_depth,
                early,
                FloorCamera(spec.view, item.placement.model_size, item.placement),
                spec.lines,
                relative_error=found[1].about.relative_error,
                parts_of=parts_of,
            )
        return Seen(
            name,
            view.num_lights,
            tuple(subjects),
            check_view(view.structure, item.pixels, [each.mask for each in subjects]),
        )


def _row(tokens: Mapping[int, tuple[np.ndarray, np.ndarray]], row: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Of one frame, batch axis kept."""
    return {block: (cls[row : row + 1], patches[row : row + 1]) for block, (cls, patches) in tokens.items()}


def _named(item: Item, prefix: str) -> str | None:
    """The item's artefact such as `view/...` or `head/NAME@...`."""
    wanted = f"{prefix}/" if "/" not in prefix else f"{prefix}@"
    return next((name for name in item.artefacts if name.startswith(wanted)), None)


def _segments(head: PatchSegments, tokens: FrameTokens, spec: CameraSpec) -> Segments:
    return replace(head.of_frame(tokens), off_recipe=head.off_recipe(spec.shape) or "")


def _with_vector(subject: Subject, tokens: FrameTokens) -> Subject:
    return replace(subject, embedding=pool(tokens.patches, subject.mask).astype(np.float16))


def _sample(item: Item, tokens: FrameTokens, log_depth: np.ndarray | None) -> ViewSample:
    return ViewSample(
        log_depth=None if log_depth is None else log_depth.astype(np.float16),
        tokens=view_tokens(tokens.taps[VIEW_BLOCK][1][0]),
        luma=float(item.pixels.reshape(-1, 3).mean(axis=0) @ np.array(_LUMA)),
        gray=gray_picture(item.pixels),
    )

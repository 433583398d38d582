"""From results to batches of the store: what is worth keeping, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from operators.retrieval.gallery import Repeats
from operators.retrieval.vectors import unit
from pipeline.frame_path.publisher.wire import decode_array
from pipeline.frame_path.publisher.wire_result import Array, ResultBody, WireLabel, WireSubject
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.records import FIRST_OF_WORDS, Batch, Record, Sighting, Tap, hash_of
from pipeline.gallery.store import GalleryStore

_SUFFIX = "/result"
_ALERTING = frozenset({"active", "releasing"})
_DECODER = msgspec.json.Decoder(ResultBody)


@dataclass(slots=True)
class Gathering:
    """A batch in the making."""

    records: list[Record] = field(default_factory=list[Record])
    sightings: list[Sighting] = field(default_factory=list[Sighting])
    seen: list[int] = field(default_factory=list[int])
    counts: Counter[str] = field(default_factory=Counter[str])


class Intake:
    """Puts results into the store. Not thread-safe.

    Counted, not kept: `empty` (nothing in front of the learnt view), `unchanged` (the picture did not change, so the
    record before it stands), `ticks` (no frame), `same_again` (a near-duplicate of what the camera just showed),
    `without_vector` (the camera asks for no `embedding` and no `vector` of words), `repeated` (this very result came
    before), `unreadable`.
    """

    def __init__(self, config: GalleryConfig, store: GalleryStore) -> None:
        """Takes up what the store's log remembers."""
        self._vector = config.vector
        self._store = store
        self._repeats = Repeats(config.same_above)
        for record in store.live:
            self._keep(record)

    def take(self, bodies: Sequence[bytes], position: Mapping[str, str], now_ns: int) -> Counter[str]:
        """Stores what `bodies` (of results, in order) say; durable on return, together with `position`.

        Args:
            bodies: JSON.
            position: How far the topic was read, by stream or partition.
            now_ns: Wall clock.

        Returns:
            What was done with them, by name.

        Raises:
            GalleryError: the store cannot be written; nothing of this call is there then.
        """
        gathering = Gathering()
        results = list(self._fresh(bodies, gathering))
        for frame, body in results:
            self._one(frame, body, gathering)
        is_sealed = self._store.add(
            Batch(
                records=gathering.records,
                sightings=gathering.sightings,
                seen=gathering.seen,
                position=dict(position),
                counts=dict(gathering.counts),
                written_ns=now_ns,
            )
        )
        if is_sealed:
            self._repeats.forget()
        return gathering.counts

    def _fresh(self, bodies: Sequence[bytes], gathering: Gathering) -> Iterator[tuple[str, ResultBody]]:
        """Results of frames that were not taken before."""
        frames: dict[str, ResultBody] = {}
        for data in bodies:
            try:
                body = _DECODER.decode(data)
            except msgspec.MsgspecError:
                gathering.counts["unreadable"] += 1
                continue
            frame = body.id.removesuffix(_SUFFIX)
            if body.tick:
                gathering.counts["ticks"] += 1
            elif frame in frames:
                gathering.counts["repeated"] += 1
            else:
                frames[frame] = body
        known = self._store.known(hash_of(frame) for frame in frames)
        for frame, body in frames.items():
            if hash_of(frame) in known:
                gathering.counts["repeated"] += 1
            else:
                yield frame, body

    def _one(self, frame: str, body: ResultBody, gathering: Gathering) -> None:
        num_before = len(gathering.records) + len(gathering.sightings)
        if body.reused_of is not None:
            gathering.counts["unchanged"] += 1
        elif body.view is not None and not any(not each.is_held for each in body.subjects):
            gathering.counts["empty"] += 1
        else:
            found = list(self._records(frame, body))
            if not found:
                gathering.counts["without_vector"] += 1
            for record in found:
                self._place(record, gathering)
        if len(gathering.records) + len(gathering.sightings) == num_before:
            gathering.seen.append(hash_of(frame))

    def _records(self, frame: str, body: ResultBody) -> Iterator[Record]:
        space, subject_space = body.model.space, body.model.subject_space
        if self._vector == "subject" and body.view is not None and subject_space is not None:
            for part, subject in enumerate(body.subjects):
                if subject.embedding is not None and not subject.is_held:
                    yield _record(frame, body, subject.embedding, subject_space, tap="subject", part=part, of=subject)
        elif body.embedding is not None and space is not None:
            yield _record(frame, body, body.embedding, space, tap="frame")
        words = {each.space: each.vector for _, each in sorted(body.words.items())}
        for part, (words_space, vector) in enumerate(words.items(), FIRST_OF_WORDS):
            yield _record(frame, body, vector, words_space, tap="words", part=part)

    def _place(self, record: Record, gathering: Gathering) -> None:
        same = self._repeats.match(record.camera, record.space, record.values)
        if same is not None:
            gathering.counts["same_again"] += 1
            first, part = same
            gathering.sightings.append(Sighting(first, part, record.time_ns, hash_of(record.frame)))
            return
        gathering.counts["kept"] += 1
        gathering.records.append(record)
        self._keep(record)

    def _keep(self, record: Record) -> None:
        self._repeats.keep(record.camera, record.space, record.values, (record.frame, record.part))


def _record(
    frame: str,
    body: ResultBody,
    vector: Array,
    space: str,
    *,
    tap: Tap,
    part: int = 0,
    of: WireSubject | None = None,
) -> Record:
    """`of`: the subject that the vector stands for; None: the whole frame."""
    times = body.times
    return Record(
        frame=frame,
        part=part,
        camera=body.camera,
        tap=tap,
        space=space,
        made_with=f"{body.model.name} {body.model.weights}",
        time_ns=times.ingest_ns if times.capture_clock == "container" else times.capture_ns,
        rule_time_ns=times.rule_time_ns,
        pts_ns=times.pts_ns,
        box=of.box if of else None,
        label=_said(of.labels if of else body.frame_label),
        episodes=[(name, each.episode) for name, each in body.rules.items() if each.phase in _ALERTING],
        vector=unit(decode_array(vector)).astype("<f2").tobytes(),
    )


def _said(labels: Mapping[str, WireLabel]) -> str:
    return ", ".join(f"{head}: {label.name}" for head, label in sorted(labels.items()))

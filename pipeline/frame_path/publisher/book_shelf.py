"""The cameras of a publisher with their books, and how all of them change at once or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from operators.camera import CameraSpec
from pipeline.clock import Clock
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.camera_book import CameraBook
from pipeline.frame_path.publisher.draft import Draft, Letterhead
from pipeline.frame_path.publisher.offers import Offers
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.frame_path.publisher.records import Records
from pipeline.frame_path.publisher.settling import Settling


class BookShelf:
    """Books are read from the state when they are first asked for. Not thread-safe."""

    def __init__(
        self,
        records: Records,
        offers: Mapping[str, Offers],
        *,
        letterhead: Letterhead,
        artefacts: ArtefactStore,
        clock: Clock,
    ) -> None:
        """`offers`, by sink: what a transaction has stored is handed to them."""
        self._records = records
        self._offers = offers
        self._letterhead = letterhead
        self._artefacts = artefacts
        self._clock = clock
        self._cameras: dict[str, PublishedCamera] = {}
        self._books: dict[str, CameraBook] = {}
        self._gone: dict[str, Settling] = {}
        """Of cameras that are stored and not configured: sinks may still settle what was published of them."""

    def change(self, cameras: Sequence[PublishedCamera]) -> None:
        """Answers for these cameras, as they are configured now, and for no others. Each in a transaction of its own;
        one that stays as it was is not touched.
        """
        for published in cameras:
            if self._cameras.get(published.spec.camera) != published:
                self._take_up(published)
        for camera in self._cameras.keys() - {published.spec.camera for published in cameras}:
            self._leave(camera)

    def leave_unknown(self) -> None:
        """After a start: cameras that are stored and no longer configured."""
        for camera in set(self._records.stored_cameras()) - self._cameras.keys():
            self._cameras[camera] = PublishedCamera(CameraSpec(camera, (0, 0)), is_replayable=False)
            self._records.restore_settling(self.book(camera))
            self._leave(camera)

    def _take_up(self, published: PublishedCamera) -> None:
        camera = published.spec.camera
        self._cameras[camera] = published
        earlier = self._books.pop(camera, None)
        known = self._gone.pop(camera, None) if earlier is None else earlier.settling
        book = self.book(camera)
        if known is not None:
            book.settling = known
        else:
            self._records.restore_settling(book)
        self.transact(book.take_up, [camera])

    def _leave(self, camera: str) -> None:
        book = self.book(camera)

        def enter(draft: Draft) -> None:
            book.leave(draft)
            self._records.pictures.give_up_owner(camera, book.stored.lease + 1, book.published.spec.labels, draft)

        if not book.stored.is_gone:
            self.transact(enter, [camera])
        self._gone[camera] = book.settling
        del self._cameras[camera], self._books[camera]

    def __iter__(self) -> Iterator[CameraBook]:
        """Of every camera that was asked for."""
        return iter(self._books.values())

    def is_gone(self, camera: str) -> bool:
        """It was published here once, and is no longer configured."""
        return camera in self._gone

    def settling(self, camera: str) -> Settling | None:
        """How far the camera is, if anybody asked for it before."""
        book = self._books.get(camera)
        return self._gone.get(camera) if book is None else book.settling

    @property
    def labels(self) -> dict[str, Mapping[str, str]]:
        """Of each camera."""
        return {name: published.spec.labels for name, published in self._cameras.items()}

    def book(self, camera: str) -> CameraBook:
        """The book of a camera.

        Raises:
            PublishError: it is not published here (code `unknown_camera`).
        """
        if camera not in self._books:
            published = self._cameras.get(camera)
            if published is None:
                known = ", ".join(self._cameras) or "none"
                msg = f"camera {camera!r} is not published here: expected one of {known}"
                raise PublishError(msg, code="unknown_camera")
            stored, learner = self._records.load(camera)
            self._books[camera] = CameraBook(published, stored, learner, self._letterhead, self._artefacts)
        return self._books[camera]

    def transact(self, enter: Callable[[Draft], None], cameras: Sequence[str]) -> None:
        """Runs `enter`, stores what it says, then hands it to the sinks; all or nothing."""
        draft = Draft(self._clock.wall_ns())
        books = {name: self.book(name) for name in cameras}
        try:
            with self._records.transaction().transaction():
                enter(draft)
                routed = self._records.write(draft, books)
        except BaseException as error:
            self._roll_back(books)
            if isinstance(error, OSError):  # of the artefact store: nobody's entry is at fault
                raise PublishError(f"state cannot be written: {error}. Free space", code="state_unwritable") from None
            raise
        self._records.commit(draft.counted)
        results = {message.ticket for message in draft.messages if message.ticket is not None}
        for ticket in draft.accepted:
            waits_for = self._records.required if ticket in results else ()
            self._books[ticket.camera].settling.add(ticket.position, waits_for)
        for name, messages in routed.items():
            if messages:
                self._offers[name].put(messages)

    def _roll_back(self, books: dict[str, CameraBook]) -> None:
        """Forgets what the failed call changed in memory."""
        self._records.reload()
        for name, book in books.items():
            del self._books[name]
            self.book(name).settling = book.settling

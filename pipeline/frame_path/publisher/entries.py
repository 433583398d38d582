"""What a delivery holds: of which camera and lease each entry is, and which page of the camera's book it changes."""

from __future__ import annotations

from pipeline.frame_path.publisher.camera_book import CameraBook
from pipeline.frame_path.publisher.draft import Draft
from pipeline.messages import Analysed, Entry, Gone, Reused, Status, Tick


def enter_into(book: CameraBook, entry: Entry, draft: Draft) -> None:
    """Within a transaction: one entry of the book's camera, in order."""
    book.attach(lease_of(entry))
    match entry:
        case Analysed():
            book.analysed(entry, draft)
        case Reused():
            book.reused(entry, draft)
        case Gone():
            book.gone(entry, draft)
        case Tick():
            book.tick(entry, draft)
        case Status():
            book.status(entry, draft)


def camera_of(entry: Entry) -> str:
    """Entries without a frame name their camera themselves."""
    return entry.camera if isinstance(entry, Tick | Status) else entry.ticket.camera


def lease_of(entry: Entry) -> int:
    """Likewise."""
    return entry.lease if isinstance(entry, Tick | Status) else entry.ticket.lease

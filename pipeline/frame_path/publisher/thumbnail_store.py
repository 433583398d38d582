"""Small pictures of what cameras showed now and then, on disk, so that a search can show moments of live cameras.

    thumbnails/CAMERA/EPOCH/HOUR/SEQ@RULE_TIME_NS.jpg      HOUR: rule time in whole hours

They lie below the evidence store where that is a folder, else below the state: an object store would be written to
several times a second and listed object by object.

The name tells the frame and its exact time, so that no index is needed: a frame's own picture and its neighbours in
time lie in one folder or the one next to it. Whole hours are dropped at once, which keeps looking after a million
pictures cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from operators.frames import Ticket
from pipeline.frame_path.publisher.evidence_shelves import is_remote

ROOT = "thumbnails"
_HOUR_NS = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One that is there."""

    path: Path
    seq: int
    rule_time_ns: int


@dataclass(frozen=True, slots=True)
class _Hour:
    """A folder of them."""

    written_ns: int
    """Wall clock, when its last picture came."""
    num_bytes: int


def thumbnail_path(ticket: Ticket, rule_time_ns: int) -> str:
    """Where the frame's picture lies below `thumbnails_root`."""
    hour = rule_time_ns // _HOUR_NS
    return f"{_folder(ticket.camera, ticket.epoch)}/{hour}/{ticket.seq}@{rule_time_ns}.jpg"


def thumbnails_root(evidence: str, state_dir: Path) -> Path:
    """The folder that `thumbnails/` lies in.

    Args:
        evidence: `evidence.store`, a folder or an address.
        state_dir: Of the whole run, the same for every publisher and for `search`.
    """
    return state_dir if is_remote(evidence) else Path(evidence)


class ThumbnailStore:
    """A folder of them. Several publishers may share it; each writes its own cameras."""

    def __init__(self, root: Path) -> None:
        """`root`: see `thumbnails_root`; it need not be there."""
        self._root = root
        self._hours: dict[Path, _Hour] = {}

    def put(self, path: str, jpeg: bytes) -> None:
        """Writes one, whole or not at all. Not durable at once: after a power cut the newest may be missing.

        Raises:
            OSError: the store cannot be written.
        """
        whole = self._root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        fresh = whole.with_name(f".{whole.name}.new")
        fresh.write_bytes(jpeg)
        fresh.replace(whole)

    def near(self, camera: str, epoch: int, rule_time_ns: int, within_ns: int) -> list[Thumbnail]:
        """Those of one camera and epoch at most `within_ns` away in rule time, the nearest first.

        Raises:
            OSError: the store cannot be read.
        """
        folder = self._root / _folder(camera, epoch)
        hours = range((rule_time_ns - within_ns) // _HOUR_NS, (rule_time_ns + within_ns) // _HOUR_NS + 1)
        found = [_parsed(path) for hour in hours for path in (folder / str(hour)).glob("[!.]*@*.jpg")]
        near = [each for each in found if abs(each.rule_time_ns - rule_time_ns) <= within_ns]
        return sorted(near, key=lambda each: abs(each.rule_time_ns - rule_time_ns))

    def prune(self, now_ns: int, keep_ns: int, room_bytes: int) -> int:
        """Deletes hours that were written to for the last time more than `keep_ns` ago, then the oldest beyond
        `room_bytes`; returns how many went.

        Raises:
            OSError: the store cannot be read or written.
        """
        self._look()
        total = sum(hour.num_bytes for hour in self._hours.values())
        num_deleted = 0
        for path, hour in sorted(self._hours.items(), key=lambda entry: entry[1].written_ns):
            if now_ns - hour.written_ns <= keep_ns and total <= room_bytes:
                break
            _delete(path)
            del self._hours[path]
            total -= hour.num_bytes
            num_deleted += 1
        return num_deleted

    def _look(self) -> None:
        """Only hours that changed since the last look are read."""
        found: dict[Path, _Hour] = {}
        for path in (self._root / ROOT).glob("*/*/*"):
            written_ns = path.stat().st_mtime_ns
            known = self._hours.get(path)
            if known is None or known.written_ns != written_ns:
                known = _Hour(written_ns, sum(each.stat().st_size for each in path.glob("*.jpg")))
            found[path] = known
        self._hours = found


def _folder(camera: str, epoch: int) -> str:
    return f"{ROOT}/{quote(camera, safe='')}/{epoch}"


def _parsed(path: Path) -> Thumbnail:
    seq, _, rule_time_ns = path.stem.partition("@")
    return Thumbnail(path, int(seq), int(rule_time_ns))


def _delete(hour: Path) -> None:
    for path in hour.iterdir():
        path.unlink(missing_ok=True)
    hour.rmdir()
    if not any(hour.parent.iterdir()):
        hour.parent.rmdir()

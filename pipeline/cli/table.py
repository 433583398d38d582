"""One line per camera, live on a terminal and plain elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import IO, NamedTuple, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.control.snapshot import PipelineSnapshot
from pipeline.messages import LedgerSnapshot

PLAIN_EVERY_STEPS = 5


class Seen(NamedTuple):
    """What the newest result of a camera said."""

    label: str = "-"
    nearest: str = "-"


Look = Callable[[str], Seen]

_HEADINGS = ("camera", "state", "decoded", "analysed", "gated", "dropped", "age p50/p99", "label", "nearest subject")


class CameraTable:
    """Shows snapshots; a context manager, since a terminal must be given back."""

    def __init__(self, look: Look = lambda _: Seen(), screen: IO[str] | None = None) -> None:
        """`screen` is the real standard output, where this process's own is redirected."""
        self._look = look
        self._console = Console(file=screen)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._steps = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line above the table."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, snapshot: PipelineSnapshot) -> None:
        """The newest state; without a terminal every fifth call prints plain lines."""
        rows = [self._row(snapshot, each.camera) for each in snapshot.cameras]
        if self._live is not None:
            table = Table(*_HEADINGS)
            for row in rows:
                table.add_row(*row)
            self._live.update(table, refresh=True)
            return
        if self._steps % PLAIN_EVERY_STEPS == 0:
            for row in rows:
                self.say(
                    "  ".join(f"{name} {cell}" for name, cell in zip(_HEADINGS[1:], row[1:], strict=True)).join(
                        (f"{row[0]}: ", "")
                    )
                )
        self._steps += 1

    def _row(self, snapshot: PipelineSnapshot, camera: str) -> tuple[str, ...]:
        now = next(each for each in snapshot.cameras if each.camera == camera)
        total = snapshot.total(camera)
        seen = self._look(camera)
        age = f"{_ms(now.age_p50_seconds)}/{_ms(now.age_p99_seconds)}"
        return (
            camera,
            _state(now.state, snapshot, camera),
            str(total.decoded),
            str(total.analysed),
            str(total.gated),
            dropped(total),
            age,
            seen.label,
            seen.nearest,
        )


def _state(state: str, snapshot: PipelineSnapshot, camera: str) -> str:
    """`live`, or `live, view moved` where the camera's empty view is not well."""
    scenes = [each.scenes[camera].scene for each in snapshot.publishers.values() if camera in each.scenes]
    unwell = [scene for scene in scenes if scene != "ok"]
    return f"{state}, view {unwell[0]}" if unwell else state


def dropped(ledger: LedgerSnapshot) -> str:
    """`replaced 3, stale 1`, or `0`."""
    reasons = {
        "sampled_out": ledger.sampled_out,
        "replaced": ledger.replaced,
        "stale": ledger.stale,
        **ledger.lost,
    }
    return ", ".join(f"{reason} {count}" for reason, count in reasons.items() if count) or "0"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"

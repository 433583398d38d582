"""States of publishers in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.frame_path.publisher.state_holdings import Holding

_NAMES_SHOWN = 4


def publisher_line(number: int, held: Mapping[str, Holding], *, has_names: bool = True) -> str:
    """`publish-0   2 cameras (dock-03, gate), 1 episode active, 12 messages wait (41 kB)`."""
    each = held.values()
    names = f" ({_some(held)})" if held and has_names else ""
    parts = [f"{counted(len(held), 'camera')}{names}", *_contents(each)]
    return f"publish-{number:<4} {', '.join(parts)}"


def camera_line(held: Holding) -> str:
    """One camera and what is stored of it."""
    active = [f"active: {', '.join(held.active)}"] if held.active else []
    muted = [f"muted: {', '.join(rule or 'all rules' for rule in held.mutes)}"] if held.mutes else []
    view = [held.view] if held.view else []
    learning = [f"learning a view ({size(held.learner_bytes)})"] if held.learner_bytes else []
    waiting = [_messages(held.num_waiting, held.waiting_bytes)] if held.num_waiting else []
    pictures = [f"{counted(held.num_pictures, 'picture')} wanted"] if held.num_pictures else []
    return (
        f"  {held.camera}: {', '.join((f'lease {held.lease}', *active, *muted, *view, *learning, *waiting, *pictures))}"
    )


def counted(number: int, noun: str) -> str:
    """`1 camera`, `2 cameras`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(num_bytes: int) -> str:
    """`41 kB`."""
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= length:
            return f"{num_bytes / length:.3g} {unit}"
    return f"{num_bytes} B"


def waiting_bytes(held: Mapping[str, Holding]) -> int:
    """What the bound of the publisher's outbox counts."""
    return sum(each.waiting_bytes for each in held.values())


def _contents(held: Iterable[Holding]) -> list[str]:
    every = list(held)
    num_active = sum(len(each.active) for each in every)
    num_waiting = sum(each.num_waiting for each in every)
    num_muted = sum(bool(each.mutes) for each in every)
    muted = [f"{num_muted} muted"] if num_muted else []
    active = f"{counted(num_active, 'episode')} active"
    return [active, *muted, _messages(num_waiting, sum(each.waiting_bytes for each in every))]


def _messages(number: int, num_bytes: int) -> str:
    wait = f"{counted(number, 'message')} wait{'s' if number == 1 else ''}"
    return f"{wait} ({size(num_bytes)})" if number else "no message waits"


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - _NAMES_SHOWN
    return ", ".join(every[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")

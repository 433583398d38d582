"""What is asked of the alarm, and the table that the documentation shows."""

from __future__ import annotations

from typing import Any

Check = tuple[str, float, str, bool]
"""(what, value, limit, whether it holds)."""


def checks(figures: dict[str, dict[str, float]]) -> list[Check]:
    """Everything that was measured and is judged; a pose, story or rule that was not played is not asked about."""
    found: list[Check] = []
    for pose, of in figures.items():
        found += [_named(pose, check) for check in (*_distances(of), *_episodes(of), *_stories(of))]
    found.append(_at_most("starts in empty scenes, all poses", sum(of["empty_starts"] for of in figures.values()), 0))
    return found


def _distances(of: dict[str, float]) -> list[Check]:
    asked = [
        _at_most("distance error under 8 m, median, m", of["error_median"], 0.5),
        _at_most("distance error under 8 m, p90, m", of["error_p90"], 1.3),
        _at_most("distance error under 4.5 m, median, m", of["near_error_median"], 0.4),
        _at_most("distance error under 4.5 m, p90, m", of["near_error_p90"], 1.0),
        _at_most("median error over that of the floor's depth", of["error_median"] / of["floor_median"], 0.5),
    ]
    if "random_p90" in of:
        ratio = of["same_p90_with_misses"] / of["random_p90_with_misses"]
        asked.append(_at_most("p90 over that of random weights, a miss read as 8 m", ratio, 0.6))
    return asked


def _episodes(of: dict[str, float]) -> list[Check]:
    asked = [
        _at_least("approaches with one start and one end, both in time", of["right"], round(0.9 * of["approaches"])),
        _at_most("near misses with a start", of["false_near"], 1),
    ]
    if "trucks" in of:
        asked += [
            _at_most(f"of {of['trucks']:.0f} trucks, starts of `is: [forklift]`", of["trucks_called_forklift"], 0),
            _at_most(f"of {of['persons']:.0f} people, starts of `is: [forklift]`", of["persons_called_forklift"], 0),
        ]
    return asked


def _stories(of: dict[str, float]) -> list[Check]:
    asked: list[Check] = []
    if "parked_starts" in of:
        asked.append(_at_most("half an hour at the threshold, starts", of["parked_starts"], 1))
    for name, what in (("stopped", "stops before the dock"), ("below", "stops below the picture")):
        if f"{name}_starts" in of:
            asked.append(_exactly(f"{what}, starts", of[f"{name}_starts"], 1))
            asked.append(_exactly(f"{what} and goes back, ends", of[f"{name}_ends"], 1))
    if "second_starts" in of:
        asked.append(_exactly("a second forklift 10 s after the first, starts", of["second_starts"], 2))
        asked.append(_exactly("the same, ends", of["second_ends"], 2))
    return asked


def _named(pose: str, check: Check) -> Check:
    return (f"{pose}: {check[0]}", *check[1:])


def _at_most(what: str, value: float, limit: float) -> Check:
    return (what, value, f"<= {limit:.3g}", bool(value <= limit))


def _at_least(what: str, value: float, limit: float) -> Check:
    return (what, value, f">= {limit:.3g}", bool(value >= limit))


def _exactly(what: str, value: float, wanted: float) -> Check:
    return (what, value, f"= {wanted:.3g}", value == wanted)


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["", "| what | value | limit | holds |", "|---|---|---|---|"]
    lines += [
        f"| {what} | {value:.3g} | {limit} | {'yes' if holds else '**no**'} |"
        for what, value, limit, holds in result["checks"]
    ]
    names = list(result["poses"])
    lines += ["", "| figure | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for key in dict.fromkeys(key for name in names for key in result["poses"][name]):
        values = [result["poses"][name].get(key) for name in names]
        shown = ("" if value is None else f"{value:.3g}" for value in values)
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(shown) + " |")
    return "\n".join(lines)

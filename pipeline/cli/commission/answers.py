"""What somebody may answer to a prompt, and the draft that comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from operators.scene.pose_from_floor import Known
from operators.spelling import did_you_mean
from operators.units import parse_degrees, parse_metres
from operators.zones import XY
from pipeline.cli.app import UserError
from pipeline.cli.commission.draft import Draft
from pipeline.cli.commission.draft_json import draft_from_json, draft_to_json, marking_of

USAGE: dict[str, str] = {
    "rectangle": "rectangle 3m 5m  X,Y X,Y X,Y X,Y    side 1-2, side 2-3, four corners in order",
    "length": "length 2.4m  X,Y X,Y                two points that far apart on the floor",
    "parallels": "parallels 3.6m  X,Y X,Y  X,Y X,Y    two points on each of two parallel lines",
    "height": "height 3.4m | pitch 32deg | hfov 74deg | yaw 2deg      typed instead of found",
    "zone": "zone NAME  X,Y X,Y X,Y ...           a polygon",
    "line": "line NAME  X,Y X,Y | line NAME here  on the floor; `here` is through the camera's foot",
    "privacy": "privacy  X,Y X,Y X,Y ...             a polygon that stays black",
    "delete": "delete zone|line|privacy|marking NAME-OR-NUMBER",
}
_POINT = re.compile(r"(\d+(?:\.\d+)?)(px)?,(\d+(?:\.\d+)?)(px)?")

Answered = Callable[[Draft, Sequence[str]], Draft]


class Answers:
    """Verbs over a draft. Points are percent of width and height, or `412px,233px`."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._verbs: dict[str, Answered] = {
            **dict.fromkeys(("rectangle", "length", "parallels"), self._marking),
            **dict.fromkeys(("height", "pitch", "hfov", "yaw"), self._typed),
            "zone": self._zone,
            "line": self._line,
            "privacy": self._privacy,
            "delete": self._delete,
        }

    def __contains__(self, verb: str) -> bool:
        return verb in self._verbs

    def take(self, draft: Draft, answer: str) -> Draft:
        """The draft after an answer such as `zone apron 10,20 90,20 50,80`.

        Raises:
            UserError: nobody could make something of it.
        """
        verb, *rest = answer.split()
        if verb not in self._verbs:
            raise UserError(
                f"{verb!r}: expected one of {', '.join(self._verbs)}{did_you_mean(verb, list(self._verbs))}"
            )
        try:
            found = self._verbs[verb](draft, [verb, *rest])
            return draft_from_json(draft_to_json(found))  # the same limits as for the page
        except ValueError as error:
            raise UserError(str(error)) from None

    def point(self, text: str) -> XY:
        """`31.5,60` or `202px,216px` in 0..1.

        Raises:
            UserError: it is none, or lies outside the picture.
        """
        found = _POINT.fullmatch(text)
        if found is None:
            raise UserError(f"{text!r}: expected a point in percent such as 31.5,60 or in pixels such as 202px,216px")
        height, width = self._size
        x = float(found[1]) / (width if found[2] else 100)
        y = float(found[3]) / (height if found[4] else 100)
        if x > 1 or y > 1:
            raise UserError(f"{text}: expected a point in the picture, which is {width}px,{height}px or 100,100")
        return x, y

    def _points(self, texts: Sequence[str]) -> tuple[XY, ...]:
        return tuple(self.point(text) for text in texts)

    def _marking(self, draft: Draft, words: Sequence[str]) -> Draft:
        kind = words[0]
        sizes = [parse_metres(each) for each in words[1:] if "," not in each]
        points = self._points([each for each in words[1:] if "," in each])
        return replace(draft, markings=(*draft.markings, marking_of(kind, points, sizes, kind)))

    def _typed(self, draft: Draft, words: Sequence[str]) -> Draft:
        if len(words) != 2:
            raise UserError(f"expected one value, such as: {USAGE['height']}")
        name = words[0]
        value = parse_metres(words[1]) if name == "height" else parse_degrees(words[1])
        if name == "yaw":
            return replace(draft, yaw_degrees=value)
        return replace(draft, typed={**draft.typed, cast("Known", name): value})

    def _zone(self, draft: Draft, words: Sequence[str]) -> Draft:
        name = _name(words)
        return replace(draft, zones={**draft.zones, name: self._points(words[2:])})

    def _line(self, draft: Draft, words: Sequence[str]) -> Draft:
        name = _name(words)
        lines = {each: ends for each, ends in draft.lines.items() if each != name}
        kept = {each: line for each, line in draft.kept_lines.items() if each != name}
        if list(words[2:]) == ["here"]:
            return replace(draft, lines=lines, kept_lines={**kept, name: "here"})
        if len(words) != 4:
            raise UserError(f"line {name}: expected two ends or `here`, got {len(words) - 2}")
        a, b = self._points(words[2:])
        return replace(draft, lines={**lines, name: (a, b)}, kept_lines=kept)

    def _privacy(self, draft: Draft, words: Sequence[str]) -> Draft:
        return replace(draft, privacy=(*draft.privacy, self._points(words[1:])))

    def _delete(self, draft: Draft, words: Sequence[str]) -> Draft:
        what, name = words[1:3] if len(words) == 3 else ("", "")
        if what in {"zone", "line"}:
            groups = {"zone": ("zones",), "line": ("lines", "kept_lines")}[what]
            if not any(name in getattr(draft, group) for group in groups):
                raise UserError(f"no {what} {name!r}")
            gone = {group: {k: v for k, v in getattr(draft, group).items() if k != name} for group in groups}
            return replace(draft, **gone)
        if what in {"privacy", "marking"}:
            group = {"privacy": "privacy", "marking": "markings"}[what]
            items = getattr(draft, group)
            if not name.isdigit() or not 1 <= int(name) <= len(items):
                raise UserError(f"no {what} {name!r}: there are {len(items)}")
            return replace(draft, **{group: (*items[: int(name) - 1], *items[int(name) :])})
        raise UserError(f"expected: {USAGE['delete']}")


def _name(words: Sequence[str]) -> str:
    if len(words) < 2 or "," in words[1]:
        raise UserError(f"expected a name after it, such as: {USAGE[words[0]]}")
    return words[1]

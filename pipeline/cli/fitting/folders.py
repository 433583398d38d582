"""What a person lays into a folder to fit a head on: classes, or pictures with their truth beside them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.heads.fit_parts import SHARES, SplitError, runs, split
from pipeline.cli.app import UserError
from pipeline.cli.inputs import MASK_SUFFIX, pictures_under

DEPTH_SUFFIX = ".depth.png"
NAMES_FILE = "classes.txt"
UNNAMED = "-"
"""In the names file: pixels of this colour or index are of no class."""


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """Pictures by class, with the part that each belongs to."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray
    """int (S,)."""
    parts: np.ndarray
    """int8 (S,), as `fit_parts` numbers them."""
    notes: tuple[str, ...]
    """How they were parted, for people."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the file of its truth."""

    picture: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class MaskClass:
    """One line of the names file."""

    name: str
    colour: tuple[int, int, int] | None = None
    """RGB."""


def read_classes(folder: Path, seed: int) -> LabelledFolder:
    """One subfolder per class; a folder within a class is a clip, which is held out as a whole.

    Raises:
        UserError: there are fewer than two classes, an empty one, or too few pictures.
    """
    _check_folder(folder, "one subfolder of pictures per class")
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    of_class = {name: pictures_under(folder / name) for name in classes}
    empty = [name for name, found in of_class.items() if not found]
    if len(classes) < 2 or empty:
        got = f"no picture in {', '.join(empty[:3])}" if empty else f"{len(classes)}"
        raise UserError(f"{folder}: expected at least two subfolders of pictures, one per class, got {got}")
    few = [f"{name} {len(found)}" for name, found in of_class.items() if len(found) < len(SHARES)]
    if few:
        raise UserError(
            f"{folder}: expected at least {len(SHARES)} pictures of each class (to fit, to choose, to judge; 20 and "
            f"more are better), got {', '.join(few)}"
        )
    paths = tuple(path for found in of_class.values() for path in found)
    labels = np.repeat(np.arange(len(classes)), [len(found) for found in of_class.values()])
    clips = [_clip(path, folder / classes[label]) for path, label in zip(paths, labels, strict=True)]
    parts, notes = _parted(clips, labels, classes, seed)
    return LabelledFolder(classes, paths, labels, parts, notes)


def read_pairs(folder: Path, suffix: str, what: str) -> tuple[Pair, ...]:
    """Pictures at any depth, each with its truth beside it: NAME + `suffix`, or NAME.png beside NAME.jpg.

    Args:
        folder: Of the pictures.
        suffix: `DEPTH_SUFFIX` or `MASK_SUFFIX`.
        what: The truth is, for messages.

    Raises:
        UserError: no picture, or one without its truth.
    """
    _check_folder(folder, f"one of pictures with their {what}")
    found = [path for path in pictures_under(folder) if not path.name.endswith((DEPTH_SUFFIX, MASK_SUFFIX))]
    stems = Counter(path.with_suffix("") for path in found)
    pictures = [path for path in found if stems[path.with_suffix("")] == 1 or path.suffix.lower() != ".png"]
    if not pictures:
        raise UserError(f"no picture under {folder}: expected NAME.jpg with its {what} in NAME.png or NAME{suffix}")
    pairs: list[Pair] = []
    for path in pictures:
        beside = [path.with_name(path.stem + suffix), path.with_suffix(".png")]
        truth = next((each for each in beside if each != path and each.is_file()), None)
        if truth is None:
            raise UserError(f"{path} has no {what} beside it: expected {' or '.join(each.name for each in beside)}")
        pairs.append(Pair(path, truth))
    return tuple(pairs)


def plain_pictures(folder: Path) -> tuple[Path, ...]:
    """Pictures of one scene, or a single one.

    Raises:
        UserError: there is none.
    """
    if folder.is_file():
        return (folder,)
    _check_folder(folder, "a picture, or a folder of pictures, of the empty scene")
    found = tuple(pictures_under(folder))
    if not found:
        raise UserError(f"no picture under {folder}: expected some of the empty scene")
    return found


def part_pairs(pairs: tuple[Pair, ...], folder: Path, shown: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """int8 (S,) parts of the pictures, by clip where there are clips, and a sentence about it.

    Args:
        pairs: Pictures.
        folder: That they lie under.
        shown: float (S, C), how much of each class they show; one column where there are no classes.
        seed: Of the order.

    Raises:
        UserError: there are too few.
    """
    clips = [_clip(pair.picture, folder) for pair in pairs]
    names = sorted(set(clips))
    by_clip = len(names) >= len(SHARES)
    units = np.array([names.index(clip) for clip in clips]) if by_clip else np.arange(len(pairs))
    counts = np.zeros((int(units.max()) + 1, shown.shape[1]))
    np.add.at(counts, units, shown)
    try:
        parts = split(counts, seed)[units]
    except SplitError as error:
        raise UserError(f"{folder}: {error}") from None
    return parts, _said(parts, f"{len(names)} clips, none in two parts" if by_clip else "single pictures")


def read_names(path: Path) -> tuple[MaskClass, ...]:
    """The classes of masks: one a line, counted from 0, as `NAME` or `NAME #rrggbb`; `-` for pixels of no class.

    Raises:
        UserError: it cannot be read, or a line is something else.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"no names of the classes: {path} cannot be read ({error.strerror}). Give --names", 3) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text: expected one class a line, such as `road #804080`") from None
    found: list[MaskClass] = []
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"(.*?)(?:\s+#([0-9a-fA-F]{6}))?", line)
        name, colour = (match[1], match[2]) if match else ("", None)
        if not name or name.startswith("#"):
            raise UserError(f"{path}, line {number}: expected a class such as `road` or `road #804080`, got {line!r}")
        rgb = None if colour is None else (int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16))
        found.append(MaskClass(name, rgb))
    named = [each.name for each in found if each.name != UNNAMED]
    if len(named) < 2 or len(set(named)) < len(named):
        raise UserError(f"{path}: expected at least two classes of different names, got {', '.join(named) or 'none'}")
    return tuple(found)


def _check_folder(folder: Path, expected: str) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: expected {expected}", 3)


def _clip(path: Path, folder: Path) -> str:
    """The folders between; empty: none."""
    return "/".join(path.relative_to(folder).parts[:-1])


def _parted(
    clips: list[str], labels: np.ndarray, classes: tuple[str, ...], seed: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """A clip of several classes (by its name) stays together; a class of too few clips is cut along its order."""
    keys = [clip or f"{classes[label]}:{at}" for at, (clip, label) in enumerate(zip(clips, labels, strict=True))]
    num_units = [
        len({key for key, of in zip(keys, labels, strict=True) if of == label}) for label in range(len(classes))
    ]
    is_short = np.array([count < len(SHARES) for count in num_units])[labels]
    parts = np.zeros(len(labels), np.int8)
    names = sorted({key for key, short in zip(keys, is_short, strict=True) if not short})
    units = np.array([names.index(key) if not short else -1 for key, short in zip(keys, is_short, strict=True)])
    if names:
        counts = np.zeros((len(names), len(classes)))
        np.add.at(counts, (units[~is_short], labels[~is_short]), 1)
        parts[~is_short] = split(counts, seed)[units[~is_short]]
    for label in np.unique(labels[is_short]):
        parts[labels == label] = runs(int((labels == label).sum()))
    num_clips = len({clip for clip in clips if clip})
    notes = [_said(parts, f"{num_clips} clips, none in two parts" if num_clips else "single pictures")]
    if is_short.any():
        cut = ", ".join(classes[label] for label in np.unique(labels[is_short]))
        notes.append(f"too few clips of {cut}: cut along their order, and their figures flatter")
    return parts, tuple(notes)


def _said(parts: np.ndarray, how: str) -> str:
    fitted, chosen, judged = (int((parts == part).sum()) for part in range(len(SHARES)))
    return f"fitted on {fitted}, chosen by {chosen}, judged on {judged} pictures ({how})"

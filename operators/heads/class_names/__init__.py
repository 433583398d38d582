"""Names of the classes that published heads tell apart, in the order of their outputs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

ClassList = Literal["imagenet1k", "ade20k", "voc2012"]


@cache
def class_names(of: ClassList) -> tuple[str, ...]:
    """1000 names of ImageNet-1k, 150 of ADE20K or 21 of PASCAL VOC 2012 (background first); each name is there once.

    Source: the first line of each file beside this one.
    """
    lines = (Path(__file__).parent / f"{of}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(lines[1:])

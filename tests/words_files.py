"""dino.txt's files in Meta's layout, made small, with weights made here: no test needs the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import random_tensors
from operators.heads.config import WordsHead
from operators.heads.words import BACKBONE
from operators.words.tokenizer import Tokenizer
from operators.words.towers import TextSizes, TextTower, VisionTower, read_text

DIM = 128
ARCH = replace(ARCHITECTURES["dinov2_vits14_reg4"], name=BACKBONE, dim=DIM, heads=2, depth=2)
"""As the one that dino.txt was published for, but small; put it into `ARCHITECTURES` while a test runs."""
CLASSES = {"forklift": "a forklift at a dock", "person": ("a person", "people"), "nothing": "an empty dock"}
_MERGES = "#version: 0.2\nd o\n"


def write_words(folder: Path, seed: int = 3) -> WordsHead:
    """Both towers and a vocabulary of one merge, and the head that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    sizes = TextSizes(vocabulary=512 + 1 + 2, context=77, dim=64, depth=1, outputs=2 * DIM)
    files = {name: str(folder / name) for name in ("vision.pth", "text.pth", "bpe.txt")}
    _save(VisionTower(DIM, 2).state_dict(), folder / "vision.pth")
    _save(TextTower(sizes).state_dict(), folder / "text.pth")
    Path(files["bpe.txt"]).write_text(_MERGES)
    return WordsHead(
        kind="words",
        weights=files["vision.pth"],
        text=files["text.pth"],
        vocabulary=files["bpe.txt"],
        classes=CLASSES,
    )


def write_words_backbone(folder: Path, seed: int = 4) -> Path:
    """A file of `ARCH` as Meta's, which a words head therefore takes for published weights."""
    path = folder / "backbone.pth"
    _save(random_tensors(ARCH, seed), path)
    return path


def teach(head: WordsHead, sentence: str, picture: np.ndarray) -> None:
    """Writes the text encoder anew so that `sentence` gives the direction of `picture`, float (2 D,), exactly."""
    tower, tokenizer = read_text(Path(head.text), 2 * DIM), Tokenizer.load(Path(head.vocabulary))
    numbers = torch.from_numpy(tokenizer.numbers([sentence]))
    matrix = tower.head.linear_projection.weight
    with torch.inference_mode():
        last = tower.backbone(numbers)[0, int(numbers[0].argmax())]  # (64,)
        wrong = torch.from_numpy(picture.astype(np.float32)) - matrix @ last
        taught = matrix + torch.outer(wrong, last) / last.dot(last)
    _save({**tower.state_dict(), "head.linear_projection.weight": taught.clone()}, Path(head.text))


def _save(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """In the place of a file that may be mapped still."""
    fresh = path.with_suffix(".new")
    torch.save(dict(tensors), fresh)
    fresh.replace(path)

"""Sentences to the pieces that the text tower was trained on: CLIP's byte-pair encoding.

Source: openai/CLIP `clip/simple_tokenizer.py` (MIT), by way of facebookresearch/dinov2 `dinov2/hub/text/tokenizer.py`
@b8931f7; re-expressed. Differs: sentences are not run through ftfy, which repairs wrongly decoded text; the marks of
start and end are not understood inside a sentence; one that is too long is refused, not cut.
"""

from __future__ import annotations

import gzip
import html
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from operators.backbone.errors import WeightsError

CONTEXT = 77
"""Pieces of a sentence at most, start and end among them."""
MERGES = 48_894
"""Of CLIP's vocabulary; the file holds more, which are not used."""
_LONGEST_BYTES = 32 * 1024 * 1024
_END_OF_WORD = "</w>"
_ENDINGS = ("'re", "'ve", "'ll", "'s", "'t", "'m", "'d")
"""Of English words, each a piece of its own."""
_STRAIGHT = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


def _alphabet() -> dict[int, str]:
    """A visible character for each byte, in the vocabulary's order: visible Latin-1 first, then stand-ins."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = sorted(set(range(256)) - set(visible))
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + index) for index, byte in enumerate(hidden)}


class Tokenizer:
    """Immutable once read."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        """`merges`: pairs of pieces that become one, the most wanted first."""
        self._alphabet = _alphabet()
        single = list(self._alphabet.values())
        words = [*single, *(each + _END_OF_WORD for each in single), *(first + second for first, second in merges)]
        self._numbers = {word: number for number, word in enumerate(words)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._start = len(words)

    @property
    def size(self) -> int:
        """Numbers that it gives are below this; the last one is the end of a sentence."""
        return self._start + 2

    @staticmethod
    def load(path: Path) -> Tokenizer:
        """Reads `bpe_simple_vocab_16e6.txt.gz`, or the same unpacked.

        Raises:
            WeightsError: it is not there, or is no such file.
        """
        try:
            lines = _text(path).rstrip("\n").split("\n")[1 : 1 + MERGES]
        except OSError as error:
            said = error.strerror or "no gzip file"
            raise WeightsError(f"no vocabulary: {path} cannot be read ({said}). Fetch it again.") from None
        except (ValueError, EOFError) as error:
            raise WeightsError(f"{path} is no vocabulary: {error}. Fetch it again.") from None
        pairs = [tuple(line.split()) for line in lines]
        odd = next((number for number, pair in enumerate(pairs, 2) if len(pair) != 2), None)
        if odd is not None or not pairs:
            raise WeightsError(
                f"{path} is no vocabulary: expected two pieces in each line from the second on, got others"
                f"{f' (line {odd})' if odd else ''}. Give bpe_simple_vocab_16e6.txt.gz."
            )
        return Tokenizer([(pair[0], pair[1]) for pair in pairs])

    def numbers(self, sentences: Sequence[str]) -> np.ndarray:
        """int64 (B, 77): start, pieces, end, then zeros.

        Raises:
            ValueError: a sentence is empty, or longer than 75 pieces.
        """
        result = np.zeros((len(sentences), CONTEXT), np.int64)
        for row, sentence in zip(result, sentences, strict=True):
            pieces = [number for word in _words(_cleaned(sentence)) for number in self._of_word(word)]
            if not 0 < len(pieces) <= CONTEXT - 2:
                what = f"at most {CONTEXT - 2} pieces, got {len(pieces)}" if pieces else "some words, got none"
                raise ValueError(
                    f"{_shown(sentence)}: expected {what}. Say it in {'fewer' if pieces else 'some'} words"
                )
            row[: len(pieces) + 2] = [self._start, *pieces, self._start + 1]
        return result

    def _of_word(self, word: str) -> Iterator[int]:
        """The pair with the lowest rank becomes one piece, everywhere, until none is left."""
        letters = [self._alphabet[byte] for byte in word.encode("utf-8")]
        pieces = [*letters[:-1], letters[-1] + _END_OF_WORD]
        while True:
            known = [pair for pair in pairwise(pieces) if pair in self._ranks]
            if not known:
                break
            pieces = _joined(pieces, min(known, key=self._ranks.__getitem__))
        return (self._numbers[piece] for piece in pieces)


def _joined(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    index = 0
    while index < len(pieces):
        is_pair = tuple(pieces[index : index + 2]) == pair
        result.append("".join(pair) if is_pair else pieces[index])
        index += 2 if is_pair else 1
    return result


def _cleaned(sentence: str) -> str:
    text = html.unescape(html.unescape(unicodedata.normalize("NFC", sentence).translate(_STRAIGHT)))
    return " ".join(text.split()).lower()


def _words(text: str) -> Iterator[str]:
    """Runs of letters, single numerals, endings such as `'s`, runs of anything else; spaces part them."""
    at = 0
    while at < len(text):
        ending = next((each for each in _ENDINGS if text.startswith(each, at)), "")
        kind = _kind(text[at])
        end = at + (len(ending) or 1)
        if not ending and kind in "L.":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if ending or kind != " ":
            yield text[at:end]
        at = end


def _kind(letter: str) -> str:
    """`L` letter, `N` numeral, space, or `.` for anything else."""
    category = unicodedata.category(letter)[0]
    return category if category in "LN" else " " if letter.isspace() else "."


def _text(path: Path) -> str:
    """Of a file, gzip or not, no longer than a vocabulary can be."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if is_packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                data = unpacked.read(_LONGEST_BYTES + 1)
        else:
            data = file.read(_LONGEST_BYTES + 1)
    if len(data) > _LONGEST_BYTES:
        raise ValueError("it is far longer than one")
    return data.decode("utf-8")


def _shown(sentence: str) -> str:
    return repr(sentence if len(sentence) <= 60 else f"{sentence[:57]}...")

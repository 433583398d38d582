"""Sentences to numbers: what parts words, what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from operators.backbone.errors import WeightsError
from operators.words.tokenizer import Tokenizer

START, END = 512 + 3, 512 + 4
AB, ABC, BC = 512, 513, 514
"""Of the merges below, in their order."""


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer([("a", "b"), ("ab", "c</w>"), ("b", "c</w>")])


def pieces(tokenizer: Tokenizer, sentence: str) -> list[int]:
    numbers = tokenizer.numbers([sentence])[0].tolist()
    assert numbers[0] == START
    return numbers[1 : numbers.index(END)]


def byte(letter: str, *, is_last: bool = False) -> int:
    """Visible ASCII comes first in the vocabulary, then the same at the end of a word."""
    return ord(letter) - 33 + (256 if is_last else 0)


def test_the_most_wanted_pair_is_joined_first(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, "abc") == [ABC]
    assert pieces(tokenizer, "xbc") == [byte("x"), BC]
    assert pieces(tokenizer, "ababc") == [AB, ABC]
    assert tokenizer.size == END + 1


def test_what_parts_words(tokenizer: Tokenizer) -> None:
    def parted(sentence: str) -> int:
        return sum(256 <= number < 512 or number in {ABC, BC} for number in pieces(tokenizer, sentence))

    assert pieces(tokenizer, "  ABC\n abc ") == [ABC, ABC]
    assert pieces(tokenizer, "x'sy") == [
        byte("x", is_last=True),
        byte("'"),
        byte("s", is_last=True),
        byte("y", is_last=True),
    ]
    assert parted("123") == 3, "numerals stand alone"
    assert parted("x1y!?") == 4, "and signs together"
    assert pieces(tokenizer, "&amp;amp;") == [byte("&", is_last=True)]
    assert pieces(tokenizer, "x\u2019s") == pieces(tokenizer, "x's"), "curly quotes are straight ones"


def test_every_sentence_ends_and_is_filled_with_zeros(tokenizer: Tokenizer) -> None:
    numbers = tokenizer.numbers(["abc", "abc abc"])
    assert numbers.shape == (2, 77)
    assert numbers.argmax(axis=1).tolist() == [2, 3]
    assert not numbers[0, 3:].any()


def test_longest_and_too_long_and_empty(tokenizer: Tokenizer) -> None:
    assert len(pieces(tokenizer, "abc " * 75)) == 75
    with pytest.raises(ValueError, match=r"expected at most 75 pieces, got 76\. Say it in fewer words"):
        tokenizer.numbers(["abc " * 76])
    with pytest.raises(ValueError, match="expected some words, got none"):
        tokenizer.numbers(["abc", " \n"])


def test_a_vocabulary_is_read_packed_or_not(tmp_path: Path) -> None:
    text = "#version: 0.2\na b\nab c</w>\nb c</w>\n"
    (tmp_path / "plain.txt").write_text(text)
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("plain.txt", "packed.txt.gz"):
        assert pieces(Tokenizer.load(tmp_path / name), "abc") == [ABC]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"no vocabulary: .* cannot be read \(No such file or directory\)"),
        (b"", "expected two pieces in each line from the second on"),
        (b"#version\na b\nno pair here\n", r"got others \(line 3\)"),
        (b"\x00\xff\xfe", "is no vocabulary"),
        (gzip.compress(b"#version\na b\n", mtime=0)[:-9], "is no vocabulary"),
        (b"\x1f\x8bnot gzip at all", r"cannot be read \(no gzip file\)"),
    ],
)
def test_what_is_no_vocabulary(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "bpe.txt.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        Tokenizer.load(path)

"""`search --text`: a sentence as the vector to search with, by the text encoder of a `words` head, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from operators.backbone.config import ModelConfig
from operators.backbone.errors import WeightsError
from operators.heads.config import WordsHead
from pipeline.cli.app import UserError
from pipeline.cli.pictures.moments import Tile
from pipeline.cli.search_query import Asked, Query
from pipeline.config.loader import Config
from pipeline.gallery.search import Gallery, SpaceShelf


def config_of_text(sentence: str, asked: Asked, more: Path | None) -> Path:
    """The configuration, which stands alone on the command line.

    Raises:
        UserError: there is more, an option does not belong to a sentence, or there is none.
    """
    if more is not None:
        raise UserError(
            f"--text stands in the place of IMAGE or FRAME: expected CONFIG alone, got {asked.text} and {more}"
        )
    if asked.box is not None or asked.by is not None or asked.part is not None:
        raise UserError("--box, --by and --part belong to a picture or a frame: leave them out with --text")
    if not sentence.strip():
        raise UserError('--text: expected a sentence such as "a forklift carrying a pallet", got none')
    return Path(asked.text)


def query_of_text(sentence: str, config: Config, gallery: Gallery) -> Query:
    """What to search with; reads the backbone for its fingerprint, then the text encoder (about 2 GB).

    Raises:
        UserError: neither configuration nor gallery knows words, the sentence cannot be read, or the head does not fit.
        WeightsError: a file cannot be had.
    """
    from operators.heads.words import embed_sentence, space_of_words
    from operators.words.tokenizer import Tokenizer
    from pipeline.config.files_here import here

    shelves = _shelves(gallery)
    config = here(config)
    name, head = _head(config)
    try:
        Tokenizer.load(Path(head.vocabulary)).numbers([sentence])
    except WeightsError:
        raise
    except ValueError as error:
        raise UserError(f"--text: {error}") from None
    fingerprint, published_as, spaces = _backbone(config.model)
    try:
        vector, towers = embed_sentence(head, sentence, fingerprint, published_as)
    except WeightsError:
        raise
    except ValueError as error:
        raise UserError(f"heads.{name}: {error}") from None
    ours = [space_of_words(space, towers) for space in spaces]
    known = next((shelf for shelf in shelves if shelf.space in ours), None)
    count = 0 if known is None else known.num_records
    return Query(
        vector=vector,
        space=ours[0] if known is None else known.space,
        what=f'"{sentence}" in words of heads.{name}; {count} words vectors',
        tile=Tile(None, ("query", f"in words of {name}"), words=f'"{sentence}"'),
    )


def _shelves(gallery: Gallery) -> Sequence[SpaceShelf]:
    """Of vectors that sentences can be compared with, the fullest first."""
    shelves = gallery.shelves()
    found = [shelf for shelf in shelves if shelf.tap == "words"]
    if not found:
        held = ", ".join(f"{shelf.num_records} {shelf.tap} vectors" for shelf in shelves) or "nothing"
        raise UserError(
            f"--text: no picture of this gallery can be compared with words: expected words vectors, got {held}. Give "
            "cameras a head of `kind: words` with `vector: true`, and let `run` and `gallery` see them"
        )
    return found


def _head(config: Config) -> tuple[str, WordsHead]:
    """One whose pictures are published, if there is one."""
    heads = [(name, head) for name, head in config.heads.items() if isinstance(head, WordsHead)]
    if not heads:
        raise UserError(
            f"--text: no text encoder: expected a head of `kind: words` under `heads:` of {config.path}, got none. "
            "Write there the one that the gallery was filled with"
        )
    return min(heads, key=lambda each: not each[1].vector)


def _backbone(model: ModelConfig) -> tuple[str, str, tuple[str, ...]]:
    """Its fingerprint, what it is published as, and the spaces of its class tokens; the weights are let go again."""
    from pipeline.control.model import load_engine

    backbone = load_engine(model).backbone
    spaces = dict.fromkeys(backbone.space(shape) for shape in model.shapes)
    return backbone.fingerprint, backbone.info.published_as, tuple(spaces)

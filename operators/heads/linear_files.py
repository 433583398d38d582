"""Loads the linear head that a configuration names, whoever wrote its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from operators.backbone.architectures import Architecture, architecture
from operators.backbone.download import Progress
from operators.backbone.errors import WeightsError
from operators.heads.head_files import HeadFile, read_head
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, read_official_head

OURS = ".safetensors"
Head = TypeVar("Head")


@dataclass(frozen=True, slots=True)
class LinearFiles(Generic[Head]):
    """How files become heads of one kind."""

    noun: str
    """Of the head, for messages."""
    from_bytes: Callable[[bytes], Head]
    """Of a file of ours; raises ValueError."""
    published: Callable[[HeadFile, Architecture, str], Head]
    """(file, backbone, what it was trained on); raises WeightsError."""

    def load(self, checkpoint: str | Path, arch_name: str, cache_dir: Path, progress: Progress | None = None) -> Head:
        """The head that a configuration names.

        Args:
            checkpoint: An official name such as `imagenet_linear4` (downloaded once), or the path of a head fitted here
                (`.safetensors`), of one of Meta's files, or of a Hugging Face folder.
            arch_name: Of the backbone.
            cache_dir: Where downloads are kept.
            progress: Told of a download.

        Raises:
            WeightsError: it cannot be had, is damaged, or is no head of this kind for that backbone.
            ValueError: no such official head or backbone.
        """
        arch = architecture(arch_name)
        if str(checkpoint) in OFFICIAL_HEAD_NAMES:
            head, file = read_official_head(str(checkpoint), arch.name, cache_dir, progress)
            return self.published(file, arch, head.row.trained_on)
        path = Path(checkpoint)
        if path.suffix != OURS:
            return self.published(read_head(path), arch, "")
        try:
            return self.from_bytes(path.read_bytes())
        except OSError as error:
            raise WeightsError(f"no head: {path} cannot be read ({error.strerror}). Give an existing file.") from None
        except ValueError as error:
            raise WeightsError(f"{path} is no {self.noun}: {error}.") from None

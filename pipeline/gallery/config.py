"""`gallery:` - frames that can be searched by what they look like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.section import Section
from operators.units import ByteSize, Seconds


class GalleryConfig(Section):
    """What `main.py gallery` keeps of the results that it reads, and for how long."""

    store: str = "state/gallery"
    """Folder; belongs to one `main.py gallery` at a time."""
    keep: Seconds = 30 * 86400.0
    max_bytes: ByteSize = 4 * 2**30
    """The oldest part is dropped beyond this, and counted. About 1.1 kB a vector of 384 numbers."""
    vector: Literal["subject", "frame"] = "subject"
    """`subject`: what stands in front of the learnt empty view, one vector each; frames of cameras without a learnt
    view are kept by their class token. `frame`: every frame by its class token."""
    same_above: float = Field(default=0.97, gt=0, le=1)
    """Cosine from which a camera shows the same again: counted on the record that is there, not kept."""
    thumbnails: Seconds = 5.0
    """How often `main.py run` keeps a small picture of a camera with something in view, for searches; `0s`: never.
    Of cameras with `embedding`, or a words head with `vector: true`, whose frames cannot be had again: not of files and
    simulated docks. They lie in `evidence.store`, or in `runtime.state_dir` where that is no folder, and only if the
    file has a `gallery:` section."""

"""Whether a node has memory for one more reader or analyzer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a wish holds needs
    from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Node

MIB = 2**20
PROCESS_BYTES = 290 * MIB
"""Of a decode actor before its first reader. Source: own measurement, as `config.load_plan` has it."""
READER_BYTES = 12 * MIB
"""Of a reader until it is measured. Source: the same, 720p."""
ANALYZER_BYTES = 900 * MIB
"""Of an analyzer until it is measured: ViT-S/14 on two lanes. Source: own measurement."""


@dataclass(frozen=True, slots=True)
class MemoryNeeds:
    """What one of each takes."""

    reader_bytes: int = READER_BYTES
    analyzer_bytes: int = ANALYZER_BYTES

    def of_decoder(self, num_readers: int) -> int:
        """Its process and its readers."""
        return PROCESS_BYTES + num_readers * self.reader_bytes

    def used(self, node: Node, decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan]) -> int:
        """Bytes that what is planned there takes."""
        there = [len(each.feeds) for each in decoders if each.node == node.id]
        models = sum(each.node == node.id for each in analyzers)
        return sum(map(self.of_decoder, there)) + models * self.analyzer_bytes

    def has_room(
        self,
        node: Node,
        wanted_bytes: int,
        decoders: Sequence[DecoderPlan] = (),
        analyzers: Sequence[AnalyzerPlan] = (),
    ) -> bool:
        """Whether so much more fits; a node that does not tell its memory has room."""
        return not node.memory_bytes or self.used(node, decoders, analyzers) + wanted_bytes <= node.memory_bytes

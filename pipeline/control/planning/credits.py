"""How many calls each owner may have in flight at each analyzer."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Wish


def share_credits(
    decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], wish: Wish
) -> dict[tuple[str, str], int]:
    """(decoder, analyzer) -> calls; every owner gets at least one at each analyzer."""
    wanted = {each.name: wish.rate_of(each.feeds) for each in decoders}
    total = sum(wanted.values()) or 1.0
    given: dict[tuple[str, str], int] = {}
    for analyzer in analyzers:
        # One call more than there are lanes, so that a lane never waits for a hop and little waits for a lane.
        slots = analyzer.lanes + 1 if analyzer.gpus == 0 else 4
        for decoder in decoders:
            given[decoder.name, analyzer.name] = max(1, round(slots * wanted[decoder.name] / total))
    return given

"""The summary as a proof: what foreign clients read back against the ledger, episodes against the simulator's truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.cli.demo.watcher import Tally
from pipeline.control.snapshot import PipelineSnapshot

START_TOLERANCE_SECONDS = 2.5
"""Two sampling periods, the hold, and what 0.6 m of error mean at the slowest approach."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the proof."""

    text: str
    holds: bool

    def __str__(self) -> str:
        return f"{'ok  ' if self.holds else 'FAIL'}  {self.text}"


def counts_agree(final: PipelineSnapshot, tallies: Mapping[str, Tally], cameras: Sequence[str]) -> list[Claim]:
    """Per camera: the ledger is balanced, and each broker holds exactly what the ledger says was published."""
    claims: list[Claim] = []
    for camera in cameras:
        total = final.total(camera)
        wanted = total.analysed + total.gated
        read = {name: len(tally.results.get(camera, ())) for name, tally in tallies.items()}
        lost = sum(total.lost.values())
        holds = total.unaccounted == 0 and total.in_flight == 0 and lost == 0 and wanted > 0
        holds = holds and all(count == wanted for count in read.values())
        found = ", ".join(f"{name} {count}" for name, count in read.items())
        claims.append(
            Claim(
                f"{camera}: decoded {total.decoded} = analysed {total.analysed} + gated {total.gated} + dropped "
                f"{total.decoded - wanted - lost - total.in_flight} + lost {lost} + in flight {total.in_flight}; "
                f"read back: {found}",
                holds,
            )
        )
    kinds = sorted({kind for tally in tallies.values() for kind in tally.ids if kind != "dinostream.result.v1"})
    for kind in kinds:
        sets = [tally.ids.get(kind, set()) for tally in tallies.values()]
        claims.append(
            Claim(f"{kind}: {len(sets[0])} on each broker, the same ids", all(each == sets[0] for each in sets))
        )
    return claims


def episodes_agree(
    camera: str,
    truth: Sequence[tuple[float, float]],
    episodes: Sequence[tuple[float, float | None]],
    hold_seconds: float,
) -> Claim:
    """One start and one end for each time that the truth was too near, each start at its time; nothing else."""
    delays = [start - (entered + hold_seconds) for (entered, _), (start, _) in zip(truth, episodes, strict=False)]
    is_paired = len(truth) == len(episodes) and all(end is not None for _, end in episodes)
    holds = is_paired and all(abs(delay) <= START_TOLERANCE_SECONDS for delay in delays)
    ends = sum(end is not None for _, end in episodes)
    late = ", ".join(f"{delay:+.1f} s" for delay in delays)
    return Claim(
        f"{camera}: {len(truth)} approaches in truth, {len(episodes)} starts and {ends} ends; "
        f"starts against truth: {late or '-'}",
        holds,
    )

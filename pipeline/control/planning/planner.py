"""When another plan is due: nodes came or went, or the load asks for more analyzers or decoders, or for fewer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from pipeline.clock import Clock
from pipeline.control.planning.growth import Growth
from pipeline.control.planning.plan import LaneUse, Node, Offer, Plan, Wish
from pipeline.control.planning.reading_growth import Reading, ReadingGrowth
from pipeline.control.planning.topology import make_plan, moves
from pipeline.errors import PipelineError

log = logging.getLogger(__name__)

_NOTHING = Reading()

LOOK_SECONDS = 1.0
"""Between two looks at the nodes: Ray itself needs twelve to miss one."""


class Planner:
    """Not thread-safe: the supervisor's loop owns it."""

    def __init__(
        self,
        clock: Clock,
        look: Callable[[], Offer] | None = None,
        growth: Growth | None = None,
        reading: ReadingGrowth | None = None,
    ) -> None:
        """`look` tells what the nodes offer now; None: what there is stays. `growth` where the number of analyzers may
        change, `reading` where that of decoders may.
        """
        self._clock = clock
        self._look = look
        self._growth = growth
        self._reading = reading
        self._offer: Offer | None = None
        self._looks_at = clock.monotonic()

    def wish(self, asked: Wish) -> Wish:
        """What the configuration asks for, with as many analyzers and decoders as the load needs now."""
        if self._growth is not None:
            asked = replace(asked, analyzers=self._growth.target)
        return asked if self._reading is None else replace(asked, floating=self._reading.target)

    def next(
        self,
        plan: Plan,
        asked: Callable[[], Wish],
        uses: Mapping[str, LaneUse],
        reading: Reading = _NOTHING,
        up: Collection[str] = (),
    ) -> Plan | None:
        """The plan to carry out instead of `plan`; None: it stays. No camera leaves a decoder whose node is there.

        Args:
            plan: What runs.
            asked: Called where there is something to plan: it looks at every camera.
            uses: Of the analyzers that run.
            reading: What it takes.
            up: Decoders that run.
        """
        was, self._offer = self._offer, self._seen_offer()
        why = "" if self._offer == was or self._offer is None else f"the cluster has {len(self._offer.nodes)} nodes now"
        if self._growth is not None and self._growth.look(self._clock.monotonic(), uses):
            why = f"{self._growth.share:.0%} of the lanes' time is in use, so there are {self._growth.target} analyzers"
        if self._reading is not None and self._offer is not None:
            num_up = sum(each.is_floating and each.name in up for each in plan.decoders)
            if self._reading.look(self._clock.monotonic(), plan, self._offer, reading, num_up):
                count = self._reading.target
                why = f"reading takes {self._reading.share:.0%} of a decoder's cores, so {count} follow the load"
        if not why or self._offer is None:
            return None
        found = make_plan(self.wish(asked()), self._offer, plan)
        if found == plan:
            return None
        log.warning("%s: %s", why, "; ".join(moves(plan, found)) or "calls are shared out anew")
        return found

    def is_uneven(self, plan: Plan, up: Collection[str]) -> bool:
        """Whether cameras should move: `anew` says which. `up`: decoders that run."""
        floating = [each for each in plan.decoders if each.is_floating]
        if not floating or self._reading is None:
            return False
        can_split = any(len(each.feeds) > 1 and each.place is None for each in plan.decoders)
        return (
            len(floating) > self._reading.target
            or any(each.feeds and each.name not in up for each in floating)
            or any(not each.feeds and each.name in up and can_split for each in floating)
        )

    def anew(self, plan: Plan, asked: Wish) -> Plan:
        """The plan for other cameras, or cameras elsewhere, on the same nodes.

        Raises:
            PipelineError: nobody has seen the nodes.
        """
        offer = self._offer or self._seen_offer()
        if offer is None:
            raise PipelineError("nobody has seen the cluster's nodes yet. Ask again in a few seconds", code="no_nodes")
        return make_plan(self.wish(asked), offer, plan)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """That compute, when last looked at."""
        return () if self._offer is None else self._offer.nodes

    @property
    def shortage(self) -> str:
        """What the load would need beyond what is allowed, for people."""
        found = [each.shortage for each in (self._growth, self._reading) if each is not None]
        return "; ".join(filter(None, found))

    def _seen_offer(self) -> Offer | None:
        if self._look is None or self._clock.monotonic() < self._looks_at:
            return self._offer
        self._looks_at = self._clock.monotonic() + LOOK_SECONDS
        try:
            return self._look()
        except PipelineError as error:  # a cluster that computes nothing now: its actors wait where they were
            log.warning("%s", error)
            return self._offer

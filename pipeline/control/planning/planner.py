"""When another plan is due: nodes came or went, or the load asks for more analyzers or decoders, or for fewer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
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
        whys = [*self._by_nodes(), *self._by_lanes(uses), *self._by_reading(plan, reading, up)]
        if not whys or self._offer is None:
            return None
        found = make_plan(self.wish(asked()), self._offer, plan)
        if found == plan:
            return None
        log.warning("%s: %s", ", and ".join(whys), "; ".join(moves(plan, found)) or "calls are shared out anew")
        return found

    def _by_nodes(self) -> Iterator[str]:
        """Why there is something to plan, for people; nothing: there is not. So do the next two."""
        was, self._offer = self._offer, self._seen_offer()
        if self._offer is not None and self._offer != was:
            yield f"the cluster has {len(self._offer.nodes)} nodes now"

    def _by_lanes(self, uses: Mapping[str, LaneUse]) -> Iterator[str]:
        growth = self._growth
        if growth is not None and growth.look(self._clock.monotonic(), uses):
            yield f"{growth.share:.0%} of the lanes' time is in use, so there are {growth.target} analyzers"

    def _by_reading(self, plan: Plan, reading: Reading, up: Collection[str]) -> Iterator[str]:
        growth = self._reading
        if growth is None or self._offer is None:
            return
        num_up = sum(each.is_floating and each.name in up for each in plan.decoders)
        if growth.look(self._clock.monotonic(), plan, self._offer, reading, num_up):
            yield f"reading takes {growth.share:.0%} of a decoder's cores, so {growth.target} follow the load"

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

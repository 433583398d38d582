"""When another plan is due: nodes came or went, or the load asks for more analyzers or fewer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.clock import Clock
from pipeline.control.planning.growth import Growth
from pipeline.control.planning.plan import LaneUse, Node, Offer, Plan, Wish
from pipeline.control.planning.topology import make_plan, moves
from pipeline.errors import PipelineError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks at the nodes: Ray itself needs twelve to miss one."""


class Planner:
    """Not thread-safe: the supervisor's loop owns it."""

    def __init__(self, clock: Clock, look: Callable[[], Offer] | None = None, growth: Growth | None = None) -> None:
        """`look` tells what the nodes offer now; None: what there is stays. `growth` where the number may change."""
        self._clock = clock
        self._look = look
        self._growth = growth
        self._offer: Offer | None = None
        self._looks_at = clock.monotonic()

    def wish(self, asked: Wish) -> Wish:
        """What the configuration asks for, with as many analyzers as the load needs now."""
        return asked if self._growth is None else replace(asked, analyzers=self._growth.target)

    def next(self, plan: Plan, asked: Callable[[], Wish], uses: Mapping[str, LaneUse]) -> Plan | None:
        """The plan to carry out instead of `plan`; None: it stays. `uses` of the analyzers that run; `asked`
        is called where there is something to plan: it looks at every camera.
        """
        was, self._offer = self._offer, self._seen_offer()
        why = "" if self._offer == was or self._offer is None else f"the cluster has {len(self._offer.nodes)} nodes now"
        if self._growth is not None and self._growth.look(self._clock.monotonic(), uses):
            why = f"{self._growth.share:.0%} of the lanes' time is in use, so there are {self._growth.target} analyzers"
        if not why or self._offer is None:
            return None
        found = make_plan(self.wish(asked()), self._offer, plan)
        if found == plan:
            return None
        log.warning("%s: %s", why, "; ".join(moves(plan, found)) or "calls are shared out anew")
        return found

    def anew(self, plan: Plan, asked: Wish) -> Plan:
        """The plan for other cameras on the same nodes.

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
        return "" if self._growth is None else self._growth.shortage

    def _seen_offer(self) -> Offer | None:
        if self._look is None or self._clock.monotonic() < self._looks_at:
            return self._offer
        self._looks_at = self._clock.monotonic() + LOOK_SECONDS
        try:
            return self._look()
        except PipelineError as error:  # a cluster that computes nothing now: its actors wait where they were
            log.warning("%s", error)
            return self._offer

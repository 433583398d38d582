"""One run from lock to last goodbye: state lock, Ray, supervisor, HTTP; what `run` and `demo` share."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.loader import Config
from pipeline.control.actors.node_store import weights_file
from pipeline.control.changes.file_watch import FileWatch
from pipeline.control.cluster import Cluster, connect
from pipeline.control.leases import StateLock
from pipeline.control.model import ModelSpec
from pipeline.control.planning.topology import make_plan
from pipeline.control.publisher_states import check_publishers, finish_move
from pipeline.control.serving.http import HttpServer, build_app
from pipeline.control.snapshot import PipelineSnapshot

if TYPE_CHECKING:
    from pipeline.control.changes.reload_triggers import ReloadTriggers
    from pipeline.control.supervisor import Supervisor

STEP_SECONDS = 1.0
CHANGING_SECONDS = 0.1
"""Between two steps while cameras change."""
EXIT_SECOND_SIGNAL = 143


@dataclass(slots=True)
class Run:
    """A started pipeline."""

    supervisor: Supervisor
    cluster: Cluster
    address: str
    stop: threading.Event
    triggers: ReloadTriggers
    _clock: Clock
    _step_seconds: float = STEP_SECONDS

    def loop(self, seen: Callable[[PipelineSnapshot], None], until: Callable[[], bool] = lambda: False) -> None:
        """Steps once a second until told to stop, until every file has ended, or until `until` says so."""
        while not self.stop.is_set():
            self.triggers.look()
            self.supervisor.step()
            seen(self.supervisor.snapshot())
            if self.supervisor.is_finished or until():
                return
            self._clock.wait(self.stop, CHANGING_SECONDS if self.supervisor.is_changing else self._step_seconds)


@contextmanager
def started(
    config: Config,
    model: ModelSpec,
    clock: Clock,
    progress: Callable[[str], None],
    hangup: threading.Event | None = None,
) -> Generator[Run]:
    """Starts everything; on leaving, ends every actor and Ray. Drain before leaving for a clean end.

    `hangup`: set where the configuration shall be read again; `progress` is told what became of that.

    Raises:
        PipelineError: the state is in use, the cluster does not answer, the HTTP address is taken, an actor cannot
            start.
    """
    state_dir = Path(config.runtime.state_dir)
    with ExitStack() as stack:
        lock = StateLock(state_dir)
        stack.callback(lock.release)
        if said := finish_move(state_dir):
            progress(f"{state_dir}: {said}")
        check_publishers(state_dir, config.runtime.publishers, config.path)
        stop = threading.Event()
        _stop_on_signals(stop)
        cluster = connect(config.runtime.ray, logs=state_dir / "logs")
        stack.callback(cluster.close)
        _stop_on_signals(stop)  # ray.init has put its own handler there
        # Only now: these import ray, which reads at its own import whether to listen on loopback alone.
        from pipeline.control.actors.depot_actor import start_depot
        from pipeline.control.actors.ray_starters import RayStarters
        from pipeline.control.banks.bank_additions import BankAdditions
        from pipeline.control.camera_actions import CameraActions
        from pipeline.control.changes.reload import Reload
        from pipeline.control.changes.reload_triggers import ReloadTriggers
        from pipeline.control.planning.memory_use import MemoryUse
        from pipeline.control.planning.planner import Planner
        from pipeline.control.planning.reading_costs import ReadingCosts
        from pipeline.control.planning.specs import RunSpec
        from pipeline.control.supervisor import Supervisor
        from pipeline.control.view_lessons import ViewLessons

        starters = RayStarters()
        if not cluster.is_ours:
            model = replace(model, weights=weights_file(model.model, config.model.weights))
            starters = RayStarters(start_depot(model.artefacts.resolve(), model.weights))
        spec = RunSpec(config, model)
        planner = Planner(clock, cluster.offer, spec.growth(), spec.reading_growth())
        plan = make_plan(
            planner.wish(spec.wish(ReadingCosts(state_dir, clock).cores, MemoryUse(state_dir, clock).needs)),
            cluster.await_offer(clock, stop, progress),
        )
        supervisor = Supervisor(spec, plan, clock, starters, planner)
        stack.callback(supervisor.stop)
        reload = Reload(supervisor, clock, stop)
        watch = FileWatch(config.path) if config.runtime.watch else None
        triggers = ReloadTriggers(reload, progress, hangup or threading.Event(), watch)
        address = ""
        if (http := config.runtime.http) is not None:
            token = config.secrets.resolve(http.token) if http.token else None
            additions = BankAdditions(supervisor.config, model.artefacts, supervisor, clock, stop)
            actions = CameraActions(supervisor.config, supervisor)
            lessons = ViewLessons(supervisor.config, model.artefacts, supervisor, clock, stop)
            app = build_app(
                supervisor.snapshot,
                spec.required_sinks,
                token,
                additions.add,
                actions.act,
                learn=lessons.learn,
                apply=reload.apply,
            )
            server = HttpServer(app, http.bind)
            server.start()
            stack.callback(server.stop)
            address = server.address
        supervisor.start(progress, stop)
        yield Run(supervisor, cluster, address, stop, triggers, clock)


def _stop_on_signals(stop: threading.Event) -> None:
    """The first SIGTERM or SIGINT asks for a drain, the second leaves at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set():
            os._exit(EXIT_SECOND_SIGNAL if number == signal.SIGTERM else 130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)

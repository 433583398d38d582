"""`Publisher` with its sinks in a Ray actor."""

from __future__ import annotations

import ray

from operators.results import ModelInfo
from pipeline.clock import SystemClock
from pipeline.control.actors.actor_base import Actor
from pipeline.control.actors.actor_calls import ActorWorker
from pipeline.control.actors.actor_log import log_to
from pipeline.control.actors.publish_spec import Promised, PublishSpec
from pipeline.control.cluster import STATE_RESOURCE
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.collection import Collected
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher, PublisherSnapshot
from pipeline.messages import Attachment, Delivery, Receipt
from pipeline.sinks.registry import build_sinks


@ray.remote(max_restarts=0, max_task_retries=0)
class PublishActor(Actor):
    """`Publisher` with its sinks."""

    def __init__(self, spec: PublishSpec, model: ModelInfo | Promised) -> None:
        try:
            self._open(spec, ray.get(model.answer) if isinstance(model, Promised) else model)
        except Exception as error:  # noqa: BLE001 - raised by `pid`
            self.failure = error

    def _open(self, spec: PublishSpec, model: ModelInfo) -> None:
        log_to(spec.artefacts.parent, spec.name)
        sinks, required = build_sinks(spec.sinks, spec.site, spec.secrets)
        self._publisher = Publisher(
            cameras=spec.cameras,
            sinks=sinks,
            required=required,
            state_dir=spec.state_dir,
            site=spec.site,
            timezone=spec.timezone,
            model=model,
            outbox=spec.outbox,
            evidence=spec.evidence,
            clock=SystemClock(),
            artefacts=ArtefactStore(spec.artefacts),
            owns=spec.owns,
            run_dir=spec.artefacts.parent,
        )
        self._publisher.start()

    def attach(self, camera: str, lease: int) -> Attachment:
        return self._publisher.attach(camera, lease)

    def publish(self, delivery: Delivery) -> Receipt:
        return self._publisher.publish(delivery)

    def change(self, cameras: tuple[PublishedCamera, ...]) -> None:
        self._publisher.change(cameras)

    def adopt(self, version: str) -> None:
        self._publisher.adopt(version)

    def act(self, camera: str, request: ActionRequest) -> Acted:
        return self._publisher.act(camera, request)

    def teach_view(self, camera: str, seconds: float, is_anew: bool) -> None:
        self._publisher.teach_view(camera, seconds, is_anew=is_anew)

    def collect(self, camera: str) -> None:
        self._publisher.collect(camera)

    def collected(self, camera: str) -> Collected:
        return self._publisher.collected(camera)

    def snapshot(self) -> PublisherSnapshot:
        return self._publisher.snapshot()

    def close(self, timeout_seconds: float) -> PublisherSnapshot:
        """Delivers what can be delivered in time; answers with the final counts."""
        self._publisher.close(timeout_seconds)
        return self._publisher.snapshot()


def start_publisher(spec: PublishSpec, model: ModelInfo | Promised, calls: int) -> ActorWorker:
    """One publish actor, on a node that holds the state."""
    options = {"num_cpus": 0, "resources": {STATE_RESOURCE: 0.001}, "max_concurrency": calls + 4}
    return ActorWorker(spec.name, PublishActor.options(**options).remote(spec, model))

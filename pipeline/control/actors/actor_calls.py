"""How actors are called: by owners as handles, by the supervisor as workers. Ray's errors become ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
import ray.exceptions as ray_errors
from ray.actor import ActorHandle

from operators.frames import Item
from operators.results import Analysis
from pipeline.errors import AnalyzeError, PipelineError, PublishError
from pipeline.messages import Attachment, Delivery, Receipt

PUBLISH_TIMEOUT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 15.0
DEPOT_TIMEOUT_SECONDS = 60.0
"""64 MiB over a slow network."""


def wait_for(ref: Any, timeout_seconds: float, kind: type[PipelineError], where: str) -> Any:
    """The value of a call; its death, lateness or failure as one of ours.

    Raises:
        PipelineError: of class `kind`, code `died`, `timeout` or `failed`; an error of ours raised over there comes
            back as it was.
    """
    try:
        return ray.get(ref, timeout=timeout_seconds)
    except ray_errors.GetTimeoutError:
        raise kind(f"no answer within {timeout_seconds:g} s", code="timeout", where=where) from None
    except ray_errors.RayTaskError as error:
        if isinstance(error.cause, PipelineError):
            raise error.cause from None
        raise kind(f"{type(error.cause).__name__}: {error.cause}", code="failed", where=where) from None
    except ray_errors.RayError as error:
        raise kind(f"the actor is gone ({type(error).__name__})", code="died", where=where) from None


@dataclass(frozen=True, slots=True)
class RayAnalyzer:
    """An `AnalyzerHandle` over an actor."""

    name: str
    actor: ActorHandle[Any]

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        """Raises: AnalyzeError."""
        return wait_for(self.actor.analyze.remote(list(items)), timeout_seconds, AnalyzeError, self.name)


@dataclass(frozen=True, slots=True)
class RayPublisher:
    """A `PublisherHandle` over an actor."""

    name: str
    actor: ActorHandle[Any]

    def attach(self, camera: str, lease: int) -> Attachment:
        """Raises: PublishError."""
        return wait_for(self.actor.attach.remote(camera, lease), PUBLISH_TIMEOUT_SECONDS, PublishError, self.name)

    def publish(self, delivery: Delivery) -> Receipt:
        """Raises: PublishError."""
        return wait_for(self.actor.publish.remote(delivery), PUBLISH_TIMEOUT_SECONDS, PublishError, self.name)


@dataclass(frozen=True, slots=True)
class RayDepot:
    """A `DepotHandle` over an actor."""

    actor: ActorHandle[Any]

    def identity(self) -> str:
        """Raises: PipelineError."""
        return self._ask("identity")

    def latest(self, name: str) -> str | None:
        """Raises: PipelineError."""
        return self._ask("latest", name)

    def get(self, versioned: str) -> bytes:
        """Raises: FileNotFoundError: there is no such version; PipelineError."""
        found = self._ask("get", versioned)
        if found is None:
            raise FileNotFoundError(f"artefact {versioned} is missing where the state is")
        return found

    def part(self, sha256: str, offset: int) -> bytes:
        """Raises: PipelineError."""
        return self._ask("part", sha256, offset)

    def _ask(self, method: str, *arguments: Any) -> Any:
        return wait_for(getattr(self.actor, method).remote(*arguments), DEPOT_TIMEOUT_SECONDS, PipelineError, "depot")


class ActorWorker:
    """An actor as the supervisor holds it: ready or not, and one pulse at a time, hardly waiting."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self.actor = actor
        self._ready = actor.pid.remote()
        self._pulse: Any = None
        self._pulse_since = 0.0

    def first_answer(self) -> int | None:
        """The process id once the actor has started, None before.

        Raises:
            PipelineError: it died on the way.
        """
        if not _is_answered(self._ready):
            return None
        return wait_for(self._ready, CALL_TIMEOUT_SECONDS, PipelineError, self.name)

    def ask(self, method: str, now: float) -> None:
        """Calls `method` for `pulse`, unless a call is under way."""
        if self._pulse is None:
            self._pulse, self._pulse_since = getattr(self.actor, method).remote(), now

    def pulse(self, method: str, limit_seconds: float, now: float, patience_seconds: float = 0.0) -> Any:
        """The answer to the call of `method`, waited for that patiently; None while there is none.

        Raises:
            PipelineError: the actor died, or has not answered for `limit_seconds` (code `timeout`).
        """
        self.ask(method, now)
        if not _is_answered(self._pulse, patience_seconds):
            if now - self._pulse_since > limit_seconds:
                msg = f"no answer for {limit_seconds:g} s"
                raise PipelineError(msg, code="timeout", where=self.name)
            return None
        answer, self._pulse = self._pulse, None
        return wait_for(answer, CALL_TIMEOUT_SECONDS, PipelineError, self.name)

    def call(self, method: str, *args: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> Any:
        """One call, waited for.

        Raises:
            PipelineError: it died, failed or was too slow.
        """
        return wait_for(getattr(self.actor, method).remote(*args), timeout_seconds, PipelineError, self.name)

    def begin(self, method: str, *args: Any) -> Any:
        """One call, to be collected."""
        return getattr(self.actor, method).remote(*args)

    def is_answered(self, answer: Any) -> bool:
        """Whether `collect` would not wait."""
        return _is_answered(answer)

    def collect(self, answer: Any, timeout_seconds: float) -> Any:
        """What `begin` asked for.

        Raises:
            PipelineError: it died, failed or was too slow.
        """
        return wait_for(answer, timeout_seconds, PipelineError, self.name)

    def kill(self) -> None:
        """Ends the actor at once, dead or alive."""
        ray.kill(self.actor, no_restart=True)


def _is_answered(ref: Any, patience_seconds: float = 0.0) -> bool:
    done, _ = ray.wait([ref], timeout=patience_seconds)
    return bool(done)

"""The Kafka topics as they should be, and the two things to do about them: create and check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from pipeline import kafka_log
from pipeline.errors import SinkError
from pipeline.kafka_client import client_settings
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.kafka_errors import translate
from pipeline.sinks.names import KINDS, destinations

_DAY_MS = 86_400_000
_BATCH_OVERHEAD_BYTES = 48_588
"""Of one record batch: makes the default of 1 000 000 the broker's own default of 1 048 588."""
_PARTITIONS = {"results": 6, "alerts": 3, "state": 1, "status": 1, "dlq": 1}
_RETENTION_DAYS = {"results": 2, "alerts": 30, "dlq": 14}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it should be."""

    name: str
    num_partitions: int
    """A camera always goes to the same one; more later would move cameras, and with them their order."""
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """What `create` did or `check` found. `problem` is empty where all is well."""

    name: str
    what: str
    problem: str = ""


def planned_topics(config: KafkaSinkConfig, num_result_partitions: int | None = None) -> list[TopicPlan]:
    """Every topic that the sink writes to: retention in days, or compaction where only what is true now counts."""
    plans: dict[str, TopicPlan] = {}
    for kind in KINDS:
        where = destinations(config.prefix, kind, "")
        noun = where.topic.removeprefix(f"{config.prefix}.").removesuffix(".v1").rpartition(".")[2]
        settings = {"max.message.bytes": str(config.max_message + _BATCH_OVERHEAD_BYTES)}
        if where.is_compacted:
            settings["cleanup.policy"] = "compact"
        else:
            settings |= {"cleanup.policy": "delete", "retention.ms": str(_RETENTION_DAYS[noun] * _DAY_MS)}
        num_partitions = (noun == "results" and num_result_partitions) or _PARTITIONS[noun]
        plans[where.topic] = TopicPlan(where.topic, num_partitions, settings)
    return list(plans.values())


def create_topics(
    config: KafkaSinkConfig, secrets: Secrets, plans: list[TopicPlan], replication_factor: int = -1
) -> list[TopicFinding]:
    """Creates those of `plans` that are not there and waits until they have leaders. Leaves the others as they are.

    A `replication_factor` of -1 is the broker's own default.

    Raises:
        SinkError: the brokers cannot be reached or refuse.
    """

    def create(admin: Any) -> list[TopicFinding]:
        there = set(admin.list_topics())
        wanted = {
            plan.name: {
                "num_partitions": plan.num_partitions,
                "replication_factor": replication_factor,
                "configs": plan.settings,
            }
            for plan in plans
            if plan.name not in there
        }
        if wanted:
            admin.create_topics(wanted, wait_for_metadata=True)
        return [
            TopicFinding(plan.name, "created" if plan.name in wanted else "was there, left as it is") for plan in plans
        ]

    return _with_admin(config, secrets, create)


def check_topics(config: KafkaSinkConfig, secrets: Secrets, plans: list[TopicPlan]) -> list[TopicFinding]:
    """Compares the brokers' topics with `plans`.

    Raises:
        SinkError: the brokers cannot be reached or refuse.
    """

    def check(admin: Any) -> list[TopicFinding]:
        there = {topic["name"]: topic for topic in admin.describe_topics() if not topic["error_code"]}
        present = [plan for plan in plans if plan.name in there]
        resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name) for plan in present]
        found = admin.describe_configs(resources, config_filter="all")["topic"] if resources else {}
        return [
            _compare(plan, len(there[plan.name]["partitions"]), found.get(plan.name, {}))
            if plan.name in there
            else TopicFinding(plan.name, "missing", "is not there: run `main.py topics create`")
            for plan in plans
        ]

    return _with_admin(config, secrets, check)


def _compare(plan: TopicPlan, num_partitions: int, found: dict[str, dict[str, Any]]) -> TopicFinding:
    values = {name: str(found[name]["value"]) for name in plan.settings if name in found}
    what = ", ".join([f"{num_partitions} partitions", *(f"{name}={value}" for name, value in values.items())])
    problems: list[str] = []
    if num_partitions < plan.num_partitions:
        problems.append(f"expected at least {plan.num_partitions} partitions, got {num_partitions}")
    for name, wanted in plan.settings.items():
        got = values.get(name)
        is_enough = got is not None and name == "max.message.bytes" and int(got) >= int(wanted)
        is_choice = name == "retention.ms"  # how long to keep is for its owner to say
        if got is not None and got != wanted and not is_enough and not is_choice:
            problems.append(f"expected {name}={wanted}, got {got}")
    return TopicFinding(plan.name, what, "; ".join(problems))


def _with_admin(config: KafkaSinkConfig, secrets: Secrets, use: Callable[[Any], _T]) -> _T:
    complaint = kafka_log.listen()
    settings = client_settings(config.brokers, config.security, secrets, "dinostream-topics", SinkError)
    try:
        admin = KafkaAdminClient(**settings, request_timeout_ms=15_000)
        try:
            return use(admin)
        finally:
            admin.close()
    except (KafkaError, OSError, ValueError) as error:
        raise translate(error, config.brokers, complaint.take()) from None

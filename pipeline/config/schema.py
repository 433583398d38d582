"""The whole configuration: only composes the structs that stand beside the parts they configure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from operators.backbone.config import ModelConfig
from operators.heads.config import HeadConfig
from operators.rules.config import RuleConfig
from operators.scene.config import Line, Polygon, SceneConfig, ViewConfig
from operators.section import Section
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.gallery.config import GalleryConfig
from pipeline.sinks.config import EvidenceConfig, OutboxConfig, SinksConfig
from pipeline.sources.config import SourceConfig

CAMERA_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
REFERENCE = r"^\$\{(env|file):[^}]+\}$"

CameraId = Annotated[str, StringConstraints(pattern=CAMERA_ID)]
"""Part of topics, streams, files and event ids."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""Of a head, zone, line, rule or profile."""
Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]


class SiteConfig(Section):
    """Where this runs; `name` is part of every event's source."""

    name: Name = "site"
    timezone: str = "UTC"
    """Of `armed:` schedules, such as Europe/Berlin."""


class Span(Section):
    """From `min` to `max`."""

    min: int = Field(ge=1)
    max: int = Field(ge=1)


class HttpConfig(Section):
    """Health, metrics, status."""

    bind: str = Field(default="127.0.0.1:9090", pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")
    """Address and port."""
    token: str | None = None
    """Name under `secrets:`; opens `/status`, which is closed without."""


class RuntimeConfig(Section):
    """What runs where."""

    ray: str = "auto"
    """`auto`: `RAY_ADDRESS` where it is set, else local; `local`; or an address."""
    decoders: Literal["auto"] | Annotated[int, Field(ge=1)] | Span = "auto"
    """Processes that read cameras. `{min, max}`: as many as reading needs, on nodes that an autoscaler brings."""
    analyzers: Literal["auto"] | Annotated[int, Field(ge=1)] | Span = "auto"
    """Processes that hold the model."""
    publishers: int = Field(default=1, ge=1)
    """Processes that publish. Once there is a state, `state move` goes before another number."""
    state_dir: str = "state"
    """Outbox, leases, empty views, positions: the one thing that must not be lost."""
    admission: Literal["refuse", "degrade"] = "refuse"
    """What `validate` does when the cameras ask for more pictures a second than the model gives."""
    http: HttpConfig | None = None
    watch: bool = False
    """Apply this file to what runs whenever it changes, as `main.py apply` and SIGHUP do."""


class CameraConfig(Section):
    """One camera, after `defaults` and its profile were laid under it."""

    profile: Name | None = None
    """Name under `profiles:`."""
    labels: dict[str, str] = Field(default_factory=dict[str, str])
    """Copied into every message."""
    priority: int = 0
    """Higher keeps its rate longer under overload."""
    place: Name | None = None
    """Only nodes with the Ray label `place=` this can reach the camera; left out: every node."""
    source: SourceConfig
    sample: SampleConfig = SampleConfig()
    heads: tuple[Name, ...] = ("embedding",)
    """Names under `heads:`; `embedding` is always known."""
    view: ViewConfig | None = None
    lines: dict[Name, Line] = Field(default_factory=dict[Name, Line])
    zones: dict[Name, Polygon] = Field(default_factory=dict[Name, Polygon])
    """Polygons in 0..1 of the picture."""
    privacy: tuple[Polygon, ...] = ()
    """Black before anything looks at the picture."""
    scene: SceneConfig = SceneConfig()
    rules: dict[Name, RuleConfig] = Field(default_factory=dict[Name, RuleConfig])


class Sections(Section):
    """The file without its cameras, and what it is made of."""

    version: Literal[1]
    site: SiteConfig = SiteConfig()
    secrets: dict[Name, Reference] = Field(default_factory=dict[Name, Reference])
    """`${env:NAME}` or `${file:PATH}`; the only place that resolves secrets."""
    model: ModelConfig = ModelConfig()
    heads: dict[Name, HeadConfig] = Field(default_factory=dict[Name, HeadConfig])
    sinks: SinksConfig
    outbox: OutboxConfig = OutboxConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    gallery: GalleryConfig = GalleryConfig()
    runtime: RuntimeConfig = RuntimeConfig()


class Grammar(Sections):
    """One YAML file, or a folder of them."""

    defaults: CameraConfig | None = None
    """Laid under every camera."""
    profiles: dict[Name, CameraConfig] = Field(default_factory=dict[Name, CameraConfig])
    """Laid over the defaults, under the cameras that name them."""
    cameras: dict[CameraId, CameraConfig]

"""Whether the heads of a configuration can be used with its weights, asked before anything runs."""

from __future__ import annotations

from operators.backbone import Engine
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.config import MADE_HERE, HeadConfig
from operators.heads.depth_files import load_depth_head
from operators.heads.kinds import head_kind
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, official_head
from pipeline.config.loader import Config
from pipeline.config.problems import Place, Problem
from pipeline.fetching.address import is_address

_FROM_FILES = {"bank", "checkpoint", "weights"}
"""What a head may be made from that is read here; wanted pictures would have to be embedded."""


def head_faults(config: Config, engine: Engine) -> list[Problem]:
    """Every head whose file is damaged, is none of its kind, or belongs to other weights.

    Nothing is downloaded and nothing is fitted: a published head or one with an address that is not here is not judged.
    """
    problems: list[Problem] = []
    for name, head in config.heads.items():
        key = head.made_from
        if key not in _FROM_FILES or is_address(getattr(head, key)):
            continue
        if (why := _fault(config, head, engine)) is not None:
            place: Place = ("heads", name, key)
            problems.append(Problem(config.mark(place), place, why))
    return problems


def _fault(config: Config, head: HeadConfig, engine: Engine) -> str | None:
    model, backbone = config.model, engine.backbone
    checkpoint = getattr(head, "checkpoint", "")
    try:
        if checkpoint in MADE_HERE or not is_here(checkpoint, backbone.arch.name):
            return None
        kind = head_kind(head)
        if kind is not None:
            return kind.misfit(kind.artefact(head, lambda: engine, model.shapes), engine, model.shapes)
        depth = load_depth_head(checkpoint, model.backbone, model.weights, licences=model.licences)
        depth.about.check_backbone(backbone.fingerprint, backbone.info.published_as)
    except (ValueError, OSError) as error:
        return str(error)
    return None


def is_here(checkpoint: str, arch: str) -> bool:
    """A published head: whether it lies in the cache of weights; one with an address, no. Anything else: yes, or its
    own error says so.
    """
    if checkpoint in OFFICIAL_HEAD_NAMES:
        return (default_cache_dir() / official_head(checkpoint, arch).row.file).is_file()
    return not is_address(checkpoint)

"""How the three kinds of Ray actors are started; `starters.Starters` says what the supervisor asks."""

from __future__ import annotations

from pipeline.control.analyze_actor import start_analyzer
from pipeline.control.decode_actor import start_decoder
from pipeline.control.publish_actor import start_publisher

__all__ = ["start_analyzer", "start_decoder", "start_publisher"]

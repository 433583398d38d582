"""The configuration: `load_config(path) -> Config`, or a `ConfigError` with every mistake at once."""

from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError, Problem
from pipeline.config.schema import CameraConfig, RuntimeConfig, SiteConfig

__all__ = ["CameraConfig", "Config", "ConfigError", "Problem", "RuntimeConfig", "SiteConfig", "load_config"]

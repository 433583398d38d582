"""The file in which a camera stands or will stand, and the configuration as it would be with it."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.cli.commission.new_camera import NewCamera, camera_text, site_text
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.commission.splice import spliced
from pipeline.cli.config_argument import load
from pipeline.config.document import read_document
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.config.schema import CameraConfig
from pipeline.config.written import written
from pipeline.frame_path.publisher.artefacts import write_whole


@dataclass(frozen=True, slots=True)
class Target:
    """Where one camera is written."""

    config: Path
    """A folder or a file, there or not."""
    name: str
    file: Path
    place: tuple[str, ...]
    """Of the camera's map in that file."""
    text: str
    """Of that file now, or of what a new camera's begins with."""
    is_new: bool
    """Whether the configuration does not know the camera yet."""
    site: str | None
    """Text of the site's file, where there is no configuration yet."""
    before: CameraConfig | None
    """As the configuration has the camera now."""
    camera: Camera

    def with_values(self, values: Mapping[str, Any]) -> str:
        """The file's text with `view`, `lines`, `zones`, `privacy` as drawn; what did not change is left alone.

        Raises:
            ValueError: the camera's map is written in braces: it cannot be changed line by line.
        """
        changed = {
            name: _plain(name, value)
            for name, value in values.items()
            if self.before is None or value != getattr(self.before, name)
        }
        changed = {name: value for name, value in changed.items() if value or not self.is_new}
        return spliced(self.text, self.place, {name: value or None for name, value in changed.items()})

    def candidate(self, text: str) -> Config:
        """The configuration as it would be with `text` in the camera's file; writes nothing that stays.

        Raises:
            ConfigError: with every mistake; places name the real files.
        """
        with tempfile.TemporaryDirectory(prefix="commission-") as scratch:
            root = Path(scratch) / "config"
            copy = self._copy(root, text)
            try:
                return replace(load_config(copy), path=self.config)
            except ConfigError as error:
                real = str(self.config)
                problems = [
                    replace(each, mark=replace(each.mark, file=each.mark.file.replace(str(copy), real)))
                    for each in error.problems
                ]
                raise ConfigError(problems) from None

    def _copy(self, root: Path, text: str) -> Path:
        root.mkdir()
        if self.config.is_file():
            (root / self.config.name).write_text(text, encoding="utf-8")
            return root / self.config.name
        for folder in (Path(), Path("cameras")):
            (root / folder).mkdir(exist_ok=True)
            for file in (self.config / folder).glob("*.y*ml"):
                shutil.copyfile(file, root / folder / file.name)
        if self.site is not None:
            (root / "site.yaml").write_text(self.site, encoding="utf-8")
        (root / self.file.relative_to(self.config)).write_text(text, encoding="utf-8")
        return root

    def difference(self, text: str) -> str:
        """What writing `text` would change in a file that is there; empty: nothing is there, or nothing changes."""
        if not self.file.is_file():
            return ""
        now = self.file.read_text(encoding="utf-8")
        lines = difflib.unified_diff(
            now.splitlines(keepends=True), text.splitlines(keepends=True), str(self.file), "as drawn", n=1
        )
        return "".join(lines)

    def write(self, text: str) -> list[Path]:
        """Writes the camera's file, and the site's where there is none; returns what was written."""
        files = {self.file: text}
        if self.site is not None and not (self.config / "site.yaml").exists():
            files = {self.config / "site.yaml": self.site, **files}
        for path, content in files.items():
            write_whole(path, content.encode())
            path.chmod(0o644)  # made through a temporary file, which is for its owner alone
        return list(files)


def existing(config: Path, name: str) -> Target:
    """A camera that the configuration has.

    Raises:
        UserError: there is no such configuration or camera, or it reads a topic.
    """
    if not config.exists():
        raise UserError(
            f"{config}: no configuration there. Name one (commission CONFIG {name}), or begin one with a camera: "
            f"commission {name} --source rtsp://...",
            3,
        )
    loaded = load(config)
    if name not in loaded.cameras:
        known = ", ".join(loaded.cameras)
        raise UserError(
            f"{config} has no camera {name!r}: expected one of {known}{did_you_mean(name, loaded.cameras)}. A new one "
            "is added with --source"
        )
    found = loaded.cameras[name]
    if found.source.kafka is not None:
        raise UserError(
            f"camera {name} reads topic {found.source.kafka.topic}: expected a camera with an address or a file. "
            "Commission it where its pictures are taken, and copy view, lines, zones and privacy"
        )
    file = Path(loaded.document.mark(("cameras", name)).file)
    place = () if file.parent.name == "cameras" and file.parent.parent == config else ("cameras", name)
    return Target(
        config=config, name=name, file=file, place=place, text=file.read_text(encoding="utf-8-sig"), is_new=False,
        site=None, before=found, camera=Camera(name, found.source, loaded.secrets),
    )  # fmt: skip


def added(config: Path, new: NewCamera) -> Target:
    """A camera that the configuration does not have yet; the configuration may not be there either.

    Raises:
        UserError: it has that camera, or no secret for its credentials.
    """
    is_file = config.is_file()
    file = config if is_file else config / "cameras" / f"{new.name}.yaml"
    place = ("cameras", new.name) if is_file else ()
    sections: dict[str, Any] = {}
    site = None
    if is_file or (config.is_dir() and any(config.glob("*.y*ml"))):
        sections = _sections(config)
    else:
        site = site_text(config, new)
        sections = yaml.safe_load(site)
    if new.name in (sections.get("cameras") or {}):
        raise UserError(f"{config} has a camera {new.name} already: leave out --source to set it up again")
    fragment = camera_text(new, sections)
    text = spliced(config.read_text(encoding="utf-8-sig"), place, yaml.safe_load(fragment)) if is_file else fragment
    return Target(
        config=config, name=new.name, file=file, place=place, text=text, is_new=True, site=site, before=None,
        camera=Camera(new.name, new.source, new.secrets),
    )  # fmt: skip


def _sections(config: Path) -> dict[str, Any]:
    try:
        return read_document(config).value
    except ConfigError as error:
        raise UserError(f"{config} cannot be read\n{error}") from None


def _plain(name: str, value: Any) -> Any:
    if name == "lines":
        return {each: line if line == "here" else _plain("", line) for each, line in value.items()}
    if isinstance(value, dict):
        return {each: _plain("", inner) for each, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_plain("", each) for each in cast("tuple[Any, ...]", value)]
    if name == "view" and value is not None:
        shown = cast("dict[str, Any]", written(value))
        return {each: text for each, text in shown.items() if (each, text) != ("yaw", "0deg")}
    return value

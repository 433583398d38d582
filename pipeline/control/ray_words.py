"""What Ray itself says to its driver: into a log file, and one sentence of ours instead of its pages.

A node that dies has the last lines of its own log, state dumps and native stacks, printed on the driver's screen by
its agents, each of them once.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pipeline.redaction import RedactingFilter

log = logging.getLogger(__name__)

FILE = "ray.log"
_MAX_BYTES = 4 * 2**20
_NODE_ENDED = "Raylet is terminated"
_NODE_MISSED = re.compile(r"The node with node id: \S+ and address: (\S+) .*has been marked dead", re.DOTALL)
_UNHANDLED = "Unhandled error"
_RAY_LOGGER = "ray._private.worker"
_MAX_CHARACTERS = 200


class RaysWords:
    """Takes what Ray would print. Called on Ray's own thread."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._file = RotatingFileHandler(self._path, maxBytes=_MAX_BYTES, backupCount=1, encoding="utf-8")
        self._file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._file.addFilter(RedactingFilter())
        self._last = ""
        self._lock = threading.Lock()

    def take(self, data: Mapping[str, Any], ignore_prefix: bool = False) -> None:  # noqa: ARG002 - Ray says it
        """One message of Ray's: `lines` of text."""
        text = "\n".join(str(line) for line in data["lines"]).strip()
        with self._lock:
            if not text or text == self._last:
                return
            self._last = text
        self._keep(text)
        log.warning("%s (%s)", _sentence(text), self._path)

    def filter(self, record: logging.LogRecord) -> bool:
        """Of Ray's own logger: whether the screen gets it. An error whose call nobody waits for any more is kept with a
        traceback of pages; that the actor is gone was told by whoever noticed.
        """
        text = record.getMessage()
        if not text.startswith(_UNHANDLED):
            return True
        self._keep(text)
        return False

    def _keep(self, text: str) -> None:
        self._file.handle(logging.makeLogRecord({"name": "ray", "msg": text, "levelno": logging.WARNING}))

    def close(self) -> None:
        """Closes the file."""
        logging.getLogger(_RAY_LOGGER).removeFilter(self)
        self._file.close()


def _sentence(text: str) -> str:
    if (missed := _NODE_MISSED.match(text)) is not None:
        return f"the node at {missed[1]} does not answer Ray any more and counts as lost"
    if text.startswith(_NODE_ENDED):
        return "a node of Ray has ended unexpectedly: the last lines of its own log are kept"
    first = text.partition("\n")[0].partition(". ")[0].removesuffix(".")
    return f"Ray says: {first[:_MAX_CHARACTERS]}" + ("" if first == text else " ...")


def listen(folder: Path) -> RaysWords:
    """From now on, instead of Ray's own printing; after `ray.init`."""
    from ray._private import worker

    words = RaysWords(folder)
    worker.print_to_stdstream = words.take  # Ray has no switch for it; `log_to_driver` is about workers alone
    logging.getLogger(_RAY_LOGGER).addFilter(words)
    return words

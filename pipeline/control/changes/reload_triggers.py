"""Has the configuration read again on SIGHUP and, where that is wanted, whenever the file changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.control.changes.applied import told
from pipeline.control.changes.file_watch import FileWatch
from pipeline.control.changes.reload import Reload
from pipeline.errors import PipelineError


class ReloadTriggers:
    """Looked at in each step of the run; the work is done beside it, one change at a time."""

    def __init__(
        self, reload: Reload, say: Callable[[str], None], asked: threading.Event, watch: FileWatch | None
    ) -> None:
        """`asked`: set where the file shall be read again; `say` is told what became of it, on another thread."""
        self._reload = reload
        self._say = say
        self._asked = asked
        self._watch = watch
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Returns at once."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._watch is not None and self._watch.has_changed():
            self._asked.set()
        if self._asked.is_set():
            self._asked.clear()
            self._thread = threading.Thread(target=self._apply, name="reload", daemon=True)
            self._thread.start()

    def _apply(self) -> None:
        try:
            applied = self._reload.apply()
        except PipelineError as error:
            if error.code == "busy":
                self._asked.set()  # whoever is at it may have read the file before it changed
                return
            self._say(f"{self._reload.path} was read again, and nothing was changed: {error.message}")
            return
        self._say(f"{self._reload.path} was read again")
        for line in told(applied):
            self._say(line)

"""Where a comparison keeps how far it has come, so that another process can go on."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

State = Mapping[str, Any]
"""What can be written as JSON; its size does not grow with the tables."""


class Kept(Protocol):
    """One comparison's place: what was saved last, whole or not at all."""

    def load(self) -> State | None:
        """Return what was saved last; None before the first time."""

    def save(self, state: State) -> None:
        """Replace what was saved."""

    def clear(self) -> None:
        """Forget it: the comparison is finished."""


class Folder:
    """A folder on this machine, made when there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "comparison.json"

    def load(self) -> State | None:
        """Return what was saved last.

        Raises:
            ValueError: The file is damaged.
        """
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        state = json.loads(text)
        if not isinstance(state, dict):
            raise ValueError(f"{self._file} holds no comparison: delete it to begin anew")
        return state

    def save(self, state: State) -> None:
        """Replace what was saved; a reader sees the old or the new state, nothing in between."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".comparison-", dir=self._file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(state, file)
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Forget what was saved."""
        self._file.unlink(missing_ok=True)

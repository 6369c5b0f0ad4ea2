"""What a function is told in a file beside its code: the environment of a function holds 4 KB at most."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FILE = "settings.json"


def read(key: str) -> Any:
    """Return one of the function's settings.

    Raises:
        KeyError: The function is told no such thing.
        FileNotFoundError: The function is told nothing.
    """
    return json.loads((Path(os.environ["LAMBDA_TASK_ROOT"]) / FILE).read_bytes())[key]

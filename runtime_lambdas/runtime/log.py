"""Structured logging: each event is one line of JSON on standard output, which Lambda sends to the log group."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any


def info(event: str, **fields: Any) -> None:
    """Record that something happened; `fields` hold no secret and no payment data beyond ids."""
    _write("INFO", event, fields)


def error(event: str, cause: BaseException, **fields: Any) -> None:
    """Record a failure with the stack that led to it."""
    stack = "".join(traceback.format_exception(cause))
    _write("ERROR", event, {**fields, "error": f"{type(cause).__name__}: {cause}".strip(), "stack": stack})


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    line = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": level,
        "event": event,
        "migration": os.environ.get("PAYMIG_MIGRATION"),
        **fields,
    }
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()

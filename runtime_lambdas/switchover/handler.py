"""Entry point of the switchover function: one action for each call, named in the event."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from runtime_lambdas.runtime import log, writer

from .facts import facts
from .state import describe


class UnknownAction(ValueError):
    """The event names no action of this version."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Run the action that the event names, as `{"action": "status"}`.

    Raises:
        UnknownAction: There is no such action; nothing was done.
    """
    name = event.get("action")
    if not isinstance(name, str) or name not in _ACTIONS:
        raise UnknownAction(f"there is no action {name!r}; this version knows {', '.join(sorted(_ACTIONS))}.")
    log.info("switchover.called", action=name)
    return _ACTIONS[name](event)


def _status(_event: Mapping[str, Any]) -> dict[str, Any]:
    now = writer.read()
    return {
        "migration": os.environ["PAYMIG_MIGRATION"],
        "writer": now.side,
        "epoch": now.epoch,
        **{side: describe(side) for side in writer.SIDES},
    }


_ACTIONS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"status": _status, "facts": facts}

"""Entry point of the switchover function: one action for each call, named in the event."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

from runtime_lambdas.runtime import aws, log, writer
from runtime_lambdas.runtime import settings as told
from runtime_lambdas.runtime.comparison import Invariant
from runtime_lambdas.runtime.comparison.place import Place
from runtime_lambdas.runtime.journal.approvals import SWITCHOVER, Demand
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.logins import Deployed

from . import service
from .actions import Event
from .databases import Databases
from .decide import Wish
from .engine import engine
from .facts import facts
from .phases import FORTH
from .settings import Settings
from .state import describe


class UnknownAction(ValueError):
    """The event names no action of this version."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Run the action that the event names.

    `{"action": "status"}` reads. "switchover", "switchback", "finalize" and "undo", with "who" (an ARN), "why" and, on
    the way back, "accept_loss" (rows), run to the end; the answer holds "finished", "writer", "epoch" and "pause" (s).
    A switchover also gets "seen", the digest that its approval has to be of, where the spec asks for an approval.
    `{"action": "advance", "wish": "switchover", "first": true, ...}` acts once; it is called until "finished" is true.

    `{"action": "measure"}` answers what the pause of a switchover depends on: the fields of `Measured`.

    Raises:
        UnknownAction: There is no such action; nothing was done.
        Refused: The writer did not move: says why, and what to do. `NotApproved` is one.
    """
    name = event.get("action")
    if not isinstance(name, str) or name not in _ACTIONS:
        raise UnknownAction(f"there is no action {name!r}; this version knows {', '.join(sorted(_ACTIONS))}.")
    log.info("switchover.called", action=name)
    return _ACTIONS[name](event, context)


def _status(_: Mapping[str, Any], __: object) -> dict[str, Any]:
    now = writer.read()
    return {
        "migration": os.environ["PAYMIG_MIGRATION"],
        "writer": now.side,
        "epoch": now.epoch,
        **{side: describe(side) for side in writer.SIDES},
    }


def _move(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    databases, settings = _databases()
    journal = _journal(event, context)
    done = service.move(
        journal,
        databases,
        Wish(event["action"]),
        budget=settings.pause_budget,
        why=str(event.get("why") or ""),
        accept_loss=event.get("accept_loss"),
        demand=_demand(event, journal),
        tell=_log,
    )
    return {"finished": True, **asdict(done)}


def _advance(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    databases, settings = _databases()
    journal = _journal(event, context)
    done = service.advance(
        journal,
        databases,
        Wish(event["wish"]),
        first=bool(event.get("first")),
        budget=settings.pause_budget,
        why=str(event.get("why") or ""),
        demand=_demand(event, journal),
        left=lambda: math.inf if context is None else context.get_remaining_time_in_millis() / 1000,
    )
    return {"finished": done is not None, **(asdict(done) if done else {})}


def _demand(event: Mapping[str, Any], journal: Journal) -> Demand:
    """Who has to approve is the spec's word; what was looked at is known to the caller alone."""
    return Demand(SWITCHOVER, str(event.get("seen") or ""), journal.who, told.read("approval"))


def _measure(_: Mapping[str, Any], __: object) -> dict[str, Any]:
    databases, _settings = _databases()
    with closing(databases):
        return asdict(databases.measure(FORTH))


def _databases() -> tuple[Databases, Settings]:
    tables = told.read("tables")
    settings = Settings(
        migration=os.environ["PAYMIG_MIGRATION"],
        include=tables["include"],
        exclude=tables["exclude"],
        sequence_gap=told.read("sequence_gap"),
        pause_budget=told.read("pause_budget"),
        lag=told.read("lag"),
        invariants=[Invariant(**given) for given in told.read("invariants")],
        since=Place(aws.client("dynamodb"), os.environ["PAYMIG_JOURNAL_TABLE"], os.environ["PAYMIG_MIGRATION"]).cut,
    )
    logins = Deployed()
    return Databases(logins, engine(told.read("engine"), settings, logins), settings), settings


def _journal(event: Mapping[str, Any], context: object) -> Journal:
    who = str(event.get("who") or getattr(context, "invoked_function_arn", "the switchover function"))
    # One call at a time is what the function's stack reserves for it. Were there two all the same, the elder would be
    # refused like anybody whose lease was taken over: by the journal, and by the guard in each database.
    name, table = os.environ["PAYMIG_MIGRATION"], os.environ["PAYMIG_JOURNAL_TABLE"]
    return Journal(aws.client("dynamodb"), table, name, who, alone=True)


def _log(event: Event) -> None:
    log.info("switchover.step", step=str(event.step), what=event.what, seconds=event.seconds, pause=event.pause)


_ACTIONS: Mapping[str, Callable[[Mapping[str, Any], object], dict[str, Any]]] = {
    "advance": _advance,
    "facts": lambda event, _: facts(event),
    "finalize": _move,
    "measure": _measure,
    "status": _status,
    "switchback": _move,
    "switchover": _move,
    "undo": _move,
}

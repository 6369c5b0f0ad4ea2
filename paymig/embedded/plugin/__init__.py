"""The plugin that gives ministack the resource types, services and failures a migration meets on AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paymig.embedded.faults import Fault, FaultTable
from paymig.embedded.plugin import host
from paymig.embedded.plugin.host import UnsupportedMinistackError

if TYPE_CHECKING:
    from paymig.embedded.seed import Seed

_FAULTS_PATH = "/_paymig/faults"


def install(seed: Seed) -> Any:
    """Extend ministack in this process and give back its ASGI application.

    Raises:
        UnsupportedMinistackError: When the installed ministack is another than the pinned one.
    """
    host.check()
    from paymig.embedded.plugin import catalogue, operations, seeding

    faults = FaultTable()
    own_types = catalogue.install(seed)
    operations.install(faults, own_types)
    seeding.install(seed)
    app = host.module("app")
    # /health belongs to the payment API behind the load balancer, not to the server.
    app._HEALTH_PATHS = ("/_ministack/health",)
    return _with_faults(app.app, faults)


def _with_faults(application: Any, faults: FaultTable) -> Any:
    """The application with one more path, PUT /_paymig/faults, that takes a JSON list of faults."""

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != _FAULTS_PATH:
            await application(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, content = 204, b""
        try:
            faults.replace([Fault.from_dict(raw) for raw in json.loads(body)])
        except (TypeError, ValueError) as problem:
            status, content = 400, f"not a list of faults: {problem}".encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})

    return wrapped


__all__ = ["UnsupportedMinistackError", "install"]

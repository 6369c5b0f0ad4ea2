"""Calling services from inside the server, and adding operations and services to it."""

from __future__ import annotations

import asyncio
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from paymig.embedded.plugin import host, wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Operation = Callable[[dict[str, Any]], dict[str, Any] | Awaitable[dict[str, Any]]]
    StockOperation = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


def call(service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
    """Call an operation of a service of this server, without the network.

    A call over HTTP from a resource handler would wait for the event loop that waits for the handler.

    Args:
        service: The boto3 name, such as "elbv2".
        operation: Such as "RegisterTargets".
        **parameters: As boto3 takes them; values of templates ("5", "true") are given the right type.

    Raises:
        wire.AwsError: What the service answered.
    """
    app = host.module("app")
    handler = app.SERVICE_HANDLERS[app.SERVICE_NAME_ALIASES.get(service, service)]
    response = app.call_service_handler_sync(handler, *wire.request(service, operation, parameters))
    return wire.result(service, operation, response)


def call_with(service: str, operation: str, properties: dict[str, Any], /, **parameters: Any) -> dict[str, Any]:
    """`call` with those of a resource's properties that the operation takes, and `parameters` on top."""
    return call(service, operation, **{**wire.pick(service, operation, properties), **parameters})


def add_operations(service: str, operations: dict[str, Operation]) -> StockOperation:
    """Answer these operations of a service; where it exists already it keeps answering all others.

    Args:
        service: The boto3 name of a service that speaks a JSON protocol or the EC2 protocol.
        operations: Each takes the request's parameters and gives the result (or an awaitable of it), both as
            boto3 shows them, or raises wire.AwsError.

    Returns:
        A coroutine function (operation, parameters) that has the service itself answer.
    """
    app = host.module("app")
    key = app.SERVICE_NAME_ALIASES.get(service, service)
    stock = app.SERVICE_HANDLERS.get(key)

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        form = {**query, **parse_qs(body.decode(errors="replace"))} if "form" in headers.get("content-type", "") else {}
        name, path_values = wire.operation(service, operations, method, path, headers, form)
        if name not in operations:
            if stock is not None:
                return await stock(method, path, headers, body, query)
            problem = wire.AwsError("UnknownOperationException", f"{service} has no operation {name} here")
            return wire.error(service, problem)
        try:
            result = operations[name]({**wire.parameters(service, name, body, form), **path_values})
            if inspect.isawaitable(result):
                result = await result
        except wire.AwsError as problem:
            return wire.error(service, problem)
        return wire.response(service, name, result)

    async def ask_stock(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return wire.result(service, operation, await stock(*wire.request(service, operation, parameters)))

    app.SERVICE_HANDLERS[key] = handle
    return ask_stock


def add_service(service: str, operations: dict[str, Operation]) -> None:
    """Add a service ministack does not have; it must speak the JSON protocol."""
    app = host.module("app")
    model = wire.service_model(service)
    name = f"paymig_{service.replace('-', '_')}"
    add_operations(service, operations)
    module = types.ModuleType(f"ministack.services.{name}")
    vars(module).update(handle_request=app.SERVICE_HANDLERS[service])
    sys.modules[module.__name__] = module
    app.SERVICE_REGISTRY[service] = {"module": name}
    host.module("core.router").SERVICE_PATTERNS[service] = {
        "host_patterns": [rf"{service}\."],
        "target_prefixes": [f"{model.metadata['targetPrefix']}."],
    }


def run_on_loop(coroutine: Any) -> Any:
    """Run a coroutine of ministack on the server's event loop and wait for it, from a worker thread."""
    loop = host.module("app")._MAIN_LOOP
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

"""Lambda: so many execution environments for each function, warm as soon as a version is published; errors by name."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Properties, Provisioned, amend

_VERSION = "AWS::Lambda::Version"
_PAUSE = 0.002


def install(environments: int) -> frozenset[str]:
    """Bound the environments of each function, and warm those of a version when CloudFormation publishes it.

    Left alone, the server starts a process for every request that finds none idle: a burst on a small machine then
    starts so many that none of them gets anywhere. On AWS they would start on machines of their own, and the ones that
    a version has provisioned are warm before its alias leads to it.

    Args:
        environments: how many; a request that finds all of them busy waits for one. 0 leaves the server as it is.

    Returns:
        The types that wait while they run.
    """
    _name_errors()
    if not environments:
        return frozenset()
    functions, runtime = host.module("services.lambda_svc"), host.module("core.lambda_runtime")
    stock = functions.acquire_worker

    def acquire(name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST", **rest: Any) -> Any:
        deadline = time.monotonic() + float(config.get("Timeout", 30))
        while True:
            worker, reason = stock(name, config, code, qualifier=qualifier, **{**rest, "max_concurrency": environments})
            if worker is not None or time.monotonic() > deadline:
                return worker, reason
            time.sleep(_PAUSE)

    functions.acquire_worker = acquire

    def warm(arn: str, attributes: dict[str, Any], _: Properties) -> Provisioned:
        function, config, name = functions._get_func_record_for_ref_in_scope(
            arn, account_id=host.account_id(), region=host.region()
        )
        code = functions._execution_record_for_config(function, config).get("code_zip")
        leased = [acquire(name, config, code, config.get("Version", "$LATEST"))[0] for _ in range(environments)]
        try:
            with ThreadPoolExecutor(environments) as pool:
                list(pool.map(runtime.ensure_spawned, leased))
        finally:
            for worker in leased:
                runtime.release_worker(worker)
        return arn, attributes

    amend(_VERSION, warm)
    return frozenset({_VERSION})


def _name_errors() -> None:
    """Tell the class of an exception that a function raised, and that its process died, as Lambda does.

    The server calls every error the same, so no state machine could tell them apart.
    """
    functions = host.module("services.lambda_svc")
    stock = functions._execute_function_warm

    def execute(*arguments: Any, **named: Any) -> Any:
        result = stock(*arguments, **named)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            body["errorType"] = _type_of(str(body.get("errorMessage", "")), str(result.get("log", "")))
        return result

    functions._execute_function_warm = execute


def _type_of(message: str, log: str) -> str:
    """Read the class off the traceback, which ends the log."""
    if message == "Worker process died":
        return "Runtime.ExitError"
    rest = f": {re.escape(message.partition(chr(10))[0])}" if message else "$"
    found = re.findall(rf"^(?:[\w.<>]+\.)?(\w+){rest}", log, re.MULTILINE)
    return found[-1] if found else "Runtime.HandlerError"

"""Lambda: so many execution environments for each function and no more, warm as soon as a version is published."""

from __future__ import annotations

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

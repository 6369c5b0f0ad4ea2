"""The commands under test as functions of an operator, importable by a process that is about to be killed.

What is slow happens at import, once: a fork server imports this module and every victim starts from there.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.synchronize import Event
from pathlib import Path

from botocore.loaders import JSONFileLoader
from botocore.retries.standard import ExponentialBackoff

from compiler.compile import Compiled, compile_spec
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.deploy import Deployer
from paymig.failures import explain
from paymig.rollback import roll_back
from schemas.load import Spec, load
from tests.paymig.faults import Faults
from tests.paymig.operators import shift
from tests.paymig.small import small

# Every process and every operator reads the same descriptions of services: half of what a short command takes.
JSONFileLoader.load_file = lru_cache(JSONFileLoader.load_file)


@dataclass(frozen=True)
class Version:
    """A spec and what it compiles to; `memory` in MiB tells versions apart once they are deployed."""

    spec: Spec
    compiled: Compiled
    memory: int


def _version(spec: Spec, mebibytes: int) -> Version:
    api = spec.migration.api.model_copy(update={"memory": mebibytes * 2**20})
    spec = replace(spec, migration=spec.migration.model_copy(update={"api": api}))
    return Version(spec, compile_spec(spec), mebibytes)


SPEC = load(Path(__file__).parents[2] / "specs" / "payments.yaml")
VERSIONS = tuple(_version(SPEC, mebibytes) for mebibytes in (512, 1024))
"""Of all stacks; `deploy 0` and `deploy 1` are these with few, `deploy whole` is the first as it is."""

COMMANDS: dict[str, Callable[[Aws], object]] = {
    **{
        f"shift {share}": lambda aws, share=share: shift(aws, SPEC, share) for share in (0, 1, 10, 50)
    },  # 100 % needs an approval
    "rollback": lambda aws: roll_back(aws, SPEC.migration, Console(), yes=True),
    **{
        f"deploy {number}": lambda aws, v=version: deploy(aws, v.spec, small(v.compiled))
        for number, version in enumerate(VERSIONS)
    },
    "deploy whole": lambda aws: deploy(aws, SPEC, VERSIONS[0].compiled),
}


def deploy(aws: Aws, spec: Spec, compiled: Compiled) -> object:
    """Deploy without a question."""
    return Deployer(aws, spec, compiled, Console()).run(yes=True)


def struck(endpoint_url: str, account: str, command: str, index: int | None, way: str, hit: Event) -> None:
    """Run a command in this process, where call number `index`, or every call, fails once.

    The exit code is the command's. `hit` is set when it comes to that call.

    The SDK repeats at once instead of after up to a second.
    """
    ExponentialBackoff.delay_amount = lambda *_: 0
    aws = Aws(SPEC.migration.region, endpoint_url=endpoint_url, credentials=(account, "x"))
    Faults(aws).arm(index, way, hit.set)
    try:
        COMMANDS[command](aws)
    except Exception as error:
        explanation = explain(error)
        if explanation is None:
            raise
        text, code = explanation
        sys.stderr.write(text + "\n")
        sys.exit(code)

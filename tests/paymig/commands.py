"""The commands under test as functions of an operator, importable by a process that is about to be killed.

What is slow happens at import, once: a fork server imports this module and every victim starts from there.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

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

COMMANDS: dict[str, Callable[[Aws], object]] = {
    **{f"shift {share}": lambda aws, share=share: shift(aws, SPEC, share) for share in (0, 1, 10, 50, 100)},
    "rollback": lambda aws: roll_back(aws, SPEC.migration, Console(), yes=True),
    **{
        f"deploy {number}": lambda aws, v=version: Deployer(aws, v.spec, v.compiled, Console()).run(yes=True)
        for number, version in enumerate(VERSIONS)
    },
}


def struck(endpoint_url: str, account: str, command: str, index: int, way: str) -> None:
    """Run a command in this process, where call number `index` fails; the exit code is the command's.

    The SDK repeats at once instead of after up to a second.
    """
    ExponentialBackoff.delay_amount = lambda *_: 0
    aws = Aws(SPEC.migration.region, endpoint_url=endpoint_url, credentials=(account, "x"))
    Faults(aws).arm(index, way)
    try:
        COMMANDS[command](aws)
    except Exception as error:
        explanation = explain(error)
        if explanation is None:
            raise
        text, code = explanation
        sys.stderr.write(text + "\n")
        sys.exit(code)

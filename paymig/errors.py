"""Every way a command can end, with its exit code.

    PaymigError                 1
    ├── Refused                 3   paymig will not do it, because it would be unsafe or makes no sense now;
    │                               the same is `runtime_lambdas.runtime.refused.Refused`, which functions know
    ├── NotConfirmed            4   the operator said no, or nobody was there to ask
    ├── AwsError                5   credentials, permissions, network, throttling
    ├── StackFailed             6   CloudFormation rolled the stack back
    └── EmbeddedError           7   the embedded AWS or PostgreSQL did not start or broke

Besides: 0 success, 1 the spec has errors, 2 wrong usage, 8 `status` or `preflight` found something unhealthy or
`evidence` something not shown, 130 interrupted.

An error carries its data and its wording apart: `message` says what happened and why, `hint` how to mend it.
"""

from typing import ClassVar

UNHEALTHY = 8
INTERRUPTED = 130


class PaymigError(Exception):
    """An expected failure: shown without a traceback.

    Attributes:
        message: what happened, where and why; one or more lines.
        hint: what to type or change next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(PaymigError):
    """It would be unsafe, or makes no sense in the present state."""

    exit_code = 3


class NotConfirmed(PaymigError):
    """The operator declined, or there was no terminal to ask on."""

    exit_code = 4


class AwsError(PaymigError):
    """AWS could not be reached or did not allow the call."""

    exit_code = 5


class StackFailed(PaymigError):
    """CloudFormation could not do it and rolled back."""

    exit_code = 6


class EmbeddedError(PaymigError):
    """The embedded AWS or PostgreSQL did not start, or broke."""

    exit_code = 7

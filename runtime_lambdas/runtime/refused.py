"""What will not be done, said once for the command line and for a function's log."""

from __future__ import annotations


class Refused(Exception):
    """It would be unsafe, or makes no sense in the present state.

    Attributes:
        message: what was refused and why.
        hint: what to do next; None where nothing is known to help.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

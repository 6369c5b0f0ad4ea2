"""What the compiler refuses, before it is known where in the YAML the cause stands."""


class Refusal(Exception):
    """A spec that is well formed and still can't become stacks.

    Args:
        code: the diagnostic's code.
        path: the dotted spec path of the cause.
        message: what is wrong, with both values where two disagree.
        hint: how to mend it.
    """

    def __init__(self, code: str, path: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.hint = hint

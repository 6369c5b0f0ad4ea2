"""Following what CloudFormation does to its end, and saying why where it ends badly."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from compiler.compile import Compiled
from paymig.aws import change_set, stack
from paymig.aws.change_set import ChangeSet
from paymig.aws.events import Event, Follower, root_cause
from paymig.aws.session import Aws
from paymig.console import Console
from paymig.errors import StackFailed
from paymig.progress import show
from paymig.trace import explain_failure

_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True)
class Watch:
    """One operator's eyes on the stacks of one compiled spec."""

    aws: Aws
    compiled: Compiled
    console: Console

    def execute(self, proposed: ChangeSet) -> None:
        """Execute a change set and follow it.

        Raises:
            StackFailed: CloudFormation rolled back.
            Overtaken: somebody else changed the stack first.
        """
        follower = Follower(self.aws, proposed.stack_id)
        with self._interruptible(proposed.stack_name):
            change_set.execute(self.aws, proposed)
            self._follow(proposed.stack_name, proposed.stack_id, follower.events(proposed.stack_id))

    def settle(self, name: str) -> bool:
        """Follow what is under way on a stack, from its beginning, whoever started it.

        Returns:
            False when nothing was under way.

        Raises:
            StackFailed: CloudFormation rolled back.
        """
        found = stack.describe(self.aws, name)
        if found is None or not found.busy:
            return False
        self.console.say(f"Stack {name} is {found.status}: following what is under way")
        with self._interruptible(name):
            follower = Follower(self.aws, found.id, under_way=True)
            self._follow(name, found.id, follower.events(found.id))
        return True

    @contextmanager
    def _interruptible(self, name: str) -> Iterator[None]:
        """Whoever stops following, even before the first event, learns that the stack does not stop."""
        try:
            yield
        except KeyboardInterrupt:
            self.console.say(
                f"Stopped following. Stack {name} goes on in AWS; to follow it again: paymig deploy. "
                "To look at it: paymig status."
            )
            raise

    def _follow(self, name: str, stack_id: str, coming: Iterable[Event]) -> None:
        events = show(self.console, name, coming)
        ended = stack.describe(self.aws, stack_id)
        if ended is None:
            raise change_set.overtaken(name)
        if ended.status not in _GOOD:
            status = ended.status
            raise StackFailed(
                f"stack {name} ended {status}\n{explain_failure(self.compiled, root_cause(events))}",
                "mend the cause, then: "
                + (
                    "paymig destroy, and paymig deploy again"
                    if status == "ROLLBACK_COMPLETE"
                    else "paymig deploy again"
                ),
            )

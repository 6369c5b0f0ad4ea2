"""Where the writer stands, read off the journal."""

from collections.abc import Iterable

from paymig.errors import Refused
from runtime_lambdas.runtime.journal.entry import Entry
from runtime_lambdas.switchover.history import Damaged, State, fold


def read(entries: Iterable[Entry]) -> State:
    """Fold the journal to where the writer stands.

    Raises:
        Refused: its entries contradict each other.
    """
    try:
        return fold(entries)
    except Damaged as damage:
        raise Refused(f"the journal contradicts itself: {damage}", "paymig history shows it") from damage

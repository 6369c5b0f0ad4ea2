"""Ending somebody else's lease."""

from paymig.console import Console
from runtime_lambdas.runtime.journal.journal import Journal
from runtime_lambdas.runtime.journal.lease import Lease


def unlock(journal: Journal, console: Console, yes: bool, why: str) -> Lease | None:
    """End the lease, whoever holds it, and record whose it was.

    Returns:
        The lease that was ended; None when nobody held one.

    Raises:
        NotConfirmed: the operator declined.
        LeaseLost: it changed hands while the question stood.
    """
    lease = journal.lease()
    if lease is None or not lease.held:
        return None
    console.say(f"The lease is held by {lease}; it runs until {lease.expires:%H:%M:%S} UTC unless it is renewed")
    if lease.place.is_gone():
        console.say("That process has ended.")
    console.confirm("End this lease? If that command still runs, its next step is refused.", yes)
    end(journal, lease, why)
    return lease


def end(journal: Journal, lease: Lease, why: str) -> None:
    """End a lease, and record whose it was.

    Raises:
        LeaseLost: it changed hands meanwhile.
    """
    journal.break_lease(lease)
    taken = {"from": lease.holder, "place": str(lease.place), "verb": lease.verb, "token": lease.token}
    journal.append("unlock", "end the lease", "note", why, taken)

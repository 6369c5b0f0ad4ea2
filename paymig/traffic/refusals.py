"""What no shift of the traffic goes against."""

from paymig.aws.stack import Stack
from paymig.errors import Refused
from paymig.journal.state import read
from runtime_lambdas.runtime.journal.journal import Journal
from schemas.migration import Migration


def refuse_unplanned(migration: Migration, share: int, force: bool) -> None:
    """Refuse a share that the spec does not name; none at all is always a step.

    Raises:
        Refused: it is not one of the spec's, or the traffic moves with the writer.
    """
    if share and migration.cutover.strategy == "together":
        raise Refused(
            "with `strategy: together` the new API cannot write to the source, so it gets no traffic before the writer",
            "paymig switchover moves both",
        )
    steps = [step.to for step in migration.cutover.steps]
    if share and share not in steps and not force:
        raise Refused(
            f"{share} % is no step of this spec; its steps are {', '.join(f'{step:g} %' for step in steps)}",
            "add the step to cutover.steps, or repeat the command with --force-step",
        )


def refuse_moved_writer(writer: str) -> None:
    """Refuse to move traffic by weights once the target is the writer.

    Raises:
        Refused: the source is fenced, so whoever is sent there cannot pay.
    """
    if writer != "source":
        raise Refused(
            "the target is the writer: the old API would write to a fenced database, so weights alone must not move",
            "paymig rollback moves the writer back first",
        )


def refuse_busy(root: Stack | None) -> None:
    """Refuse to move traffic while CloudFormation is at work.

    Raises:
        Refused: it is.
    """
    if root is not None and root.busy:
        raise Refused(
            f"stack {root.name} is {root.status}, and may touch the record itself",
            "paymig deploy follows it to its end; in an emergency, paymig rollback does not wait",
        )


def refuse_left_over(journal: Journal) -> None:
    """Refuse to move traffic while a move of the writer stands half-way.

    Raises:
        Refused: one does.
    """
    left = read(journal.entries()).left_over
    if left is not None:
        raise Refused(
            f"a {left.way.verb} stopped half-way, and the database that the traffic would write to may be fenced",
            "paymig switchover or paymig rollback ends it first",
        )

"""The way back of `paymig rollback`, as far as it concerns the writer."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from paymig.errors import Refused
from paymig.operation import Operation
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.history import Damaged, State
from runtime_lambdas.switchover.phases import BACK

PLAIN = "paymig rollback without --in-cloud, where both databases can be reached: it counts what would be lost"


def undo(at: Operation, why: str, cloud: bool = False) -> None:
    """Open again what a move has fenced that has not passed the point of no return.

    A switchback in the cloud is left to the machine: it is at work on it, or undoes what a dead operator left.
    """
    attempt = _state(at).left_over
    if attempt is None or attempt.committed or (cloud and attempt.way == BACK):
        return
    from paymig.cutover import driver, in_cloud

    at.console.say(f"A {attempt.way.verb} is under way: undoing it first")
    if cloud:
        in_cloud.run(at, Wish.UNDO, why)
    else:
        driver.run(at, Wish.UNDO, why, over=True)


def switch_back(at: Operation, yes: bool, why: str, accept_loss: int | None, cloud: bool = False) -> bool:
    """Move the writer back to the source.

    Returns:
        False where the source is the writer already, and open.

    Raises:
        Refused: replication to the source does not work, and the loss was not accepted; or the way back has ended.
        NotConfirmed: the operator declined.
    """
    state = _state(at)
    left_over = state.attempt is not None and state.attempt.way == BACK and state.attempt.committed
    if state.writer == "source" and not left_over:
        return False
    from paymig.cutover import driver, in_cloud

    if left_over:
        # The source is the writer and may still be fenced: nothing is asked, since nobody can pay until it is open.
        at.console.say("A way back has passed its point of no return: completing it")
        if cloud:
            driver.finish(at, in_cloud.run(at, Wish.SWITCHBACK, why))
        else:
            driver.finish(at, driver.run(at, Wish.SWITCHBACK, why, over=True))
        return True
    if state.ending:
        raise Refused("the way back has ended: `paymig finalize` stopped the replication to the source")
    if cloud:
        # While a way back has writes paused, nothing is asked; after a switchover that only has to be ended, they flow.
        if state.left_over is None or state.left_over.way != BACK:
            at.console.confirm(f"Move the writer back to the source? Writes pause meanwhile; {_in_cloud(at)}.", yes)
        driver.finish(at, in_cloud.run(at, Wish.SWITCHBACK, why))
        return True
    if accept_loss is not None:
        lost = driver.loss(at)
        if lost > accept_loss:
            raise Refused(
                f"{lost} rows of the target are not on the source, so {lost} would be lost, and not {accept_loss}",
                f"paymig rollback --accept-loss {lost}; paymig compare shows the rows",
            )
        at.console.confirm(f"Move the writer back to the source and lose up to {accept_loss} rows?", yes)
    else:
        _demand_replication(at)
        at.console.confirm("Move the writer back to the source? Writes pause meanwhile; nothing is lost.", yes)
    driver.finish(at, driver.run(at, Wish.SWITCHBACK, why, accept_loss=accept_loss, over=True))
    return True


def _in_cloud(at: Operation) -> str:
    """Say what is known of a loss from here, where both databases may be out of reach; refuse where it is certain."""
    from paymig.cutover.way_back import way_back

    found = way_back(at)
    if found.lossless is False:
        raise Refused(found.why, f"mend it (paymig replicate status), or {PLAIN}")
    return f"nothing is lost: {found.why}" if found.lossless else f"that nothing is lost is not verified: {found.why}"


def _demand_replication(at: Operation) -> None:
    from paymig.cutover import driver
    from paymig.cutover.way_back import recorded_identity
    from paymig.databases import Databases
    from paymig.replication.engines import engine_for
    from runtime_lambdas.runtime.replication.engine import ReplicationError

    logins = Databases(at.aws, at.spec)
    back = engine_for(at.migration, logins, at.aws).reverse()
    try:
        recorded = recorded_identity(at.journal.entries())
        if recorded is not None:
            back.verify(recorded)  # one that was made anew has beats that arrive, too, and lacks what came before
        why = "" if back.lag().arrived else "a beat of the target does not arrive"
    except ReplicationError as error:
        why = str(error)
    finally:
        back.close()
    if why:
        lost = driver.loss(at)
        raise Refused(
            f"replication from the target to the source does not work ({why}): going back now loses {lost} rows, "
            "counted on the target",
            f"mend it (paymig replicate status), or go back all the same: paymig rollback --accept-loss {lost}",
        )


def _state(at: Operation) -> State:
    from paymig.cutover import driver

    try:
        return driver.state_of(at)
    except Damaged as damage:
        raise Refused(f"the journal contradicts itself: {damage}", "paymig history shows it") from damage
    except (BotoCoreError, ClientError):
        return State()  # the traffic's own way back says what can be done without a journal

"""The journal and the lease in a real table: order, races, stale holders, lost answers."""

import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from paymig.console import Console
from paymig.errors import NotConfirmed
from paymig.journal.unlock import unlock
from runtime_lambdas.runtime.journal import journal as journals
from runtime_lambdas.runtime.journal import lease as leases
from runtime_lambdas.runtime.journal.control import Writer, WriterMoved, WriterUnknown
from runtime_lambdas.runtime.journal.entry import Draft
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.runtime.journal.lease import LeaseHeld, LeaseLost
from runtime_lambdas.runtime.journal.place import Place
from tests.paymig.faults import Faults
from tests.runtime_lambdas.journal.conftest import NAME


def together(count: int, act) -> None:
    threads = [threading.Thread(target=act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_entries_come_back_as_they_were_and_in_order_over_many_pages(operator):
    alice = operator("alice")
    written = [alice.append("shift", f"step {n}", "note", "why", {"n": n, "fill": "x" * 50_000}) for n in range(45)]
    assert list(operator("bob").entries()) == written
    assert [entry.sequence for entry in written] == list(range(1, 46))
    assert written[0].who.endswith("user/alice")


def test_entries_of_many_writers_leave_no_gap_and_no_double(operator):
    journals = [operator(f"operator-{n}") for n in range(6)]

    def write(number: int) -> None:
        for turn in range(5):
            journals[number].append("shift", f"{number}/{turn}", "note", "", {})

    together(6, write)
    entries = list(operator("reader").entries())
    assert [entry.sequence for entry in entries] == list(range(1, 31))
    assert len({entry.step for entry in entries}) == 30


def test_of_many_who_ask_at_once_one_gets_the_lease(operator):
    journals = [operator(f"operator-{n}") for n in range(8)]
    won, lost = [], []

    def ask(number: int) -> None:
        try:
            won.append(journals[number].acquire("shift")[0])
        except LeaseHeld as held:
            lost.append(held)

    together(8, ask)
    assert len(won) == 1
    assert {held.lease.holder for held in lost} == {won[0].holder}
    assert all(won[0].holder in held.message and "paymig unlock" in held.hint for held in lost)


def test_a_stale_holder_is_refused_and_told_who_holds_it_now(operator):
    alice, bob = operator("alice"), operator("bob")
    with pytest.raises(LeaseLost, match="user/bob") as lost, hold(alice, "shift") as holding:
        with holding.step("first", at="1 %"):
            pass
        taken, former = bob.acquire("rollback", over=True)
        assert former == holding.lease
        assert taken.token == holding.lease.token + 1
        with holding.step("second"):
            pytest.fail("a stale holder must not act")
    assert "`paymig rollback`" in lost.value.message
    assert bob.lease() == taken, "what the stale holder did at its end touched nothing"
    with pytest.raises(LeaseLost):
        alice.renew(holding.lease)
    assert [(e.step, e.kind) for e in bob.entries()] == [("first", "intent"), ("first", "done")]


def test_a_step_records_its_failure_and_the_lease_is_given_back(operator):
    alice = operator("alice")
    with (
        pytest.raises(ZeroDivisionError),
        hold(alice, "deploy", "a reason") as holding,
        holding.step("act", found=1) as reached,
    ):
        reached["half"] = True
        raise ZeroDivisionError("no")
    intent, failed = alice.entries()
    assert (intent.kind, intent.evidence, intent.why) == ("intent", {"found": 1}, "a reason")
    assert (failed.kind, failed.evidence) == ("failed", {"half": True, "error": "ZeroDivisionError: no"})
    assert not alice.lease().held
    assert operator("bob").acquire("shift")[0].token == holding.lease.token + 1


def test_a_lease_lives_while_it_is_renewed_and_no_longer(operator, monkeypatch):
    monkeypatch.setattr(leases, "LIFE", timedelta(seconds=0.6))
    alice, bob = operator("alice"), operator("bob")
    with hold(alice, "deploy"):
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            with pytest.raises(LeaseHeld):
                bob.acquire("shift")
            time.sleep(0.1)
    dead, _ = alice.acquire("deploy")  # and nobody renews it
    with pytest.raises(LeaseHeld):
        bob.acquire("shift")
    time.sleep(0.7)
    taken, former = bob.acquire("shift")
    assert former == dead
    assert taken.token == dead.token + 1


def test_the_lease_of_a_process_that_ended_here_is_free_at_once(operator, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = Place.here()
    with monkeypatch.context() as patch:
        patch.setattr(journals.Place, "here", lambda: Place(here.host, here.boot, ended.pid))
        dead, _ = operator("alice").acquire("deploy")
    assert dead.place.is_gone()
    assert not here.is_gone()
    assert not Place("elsewhere", here.boot, ended.pid).is_gone(), "of another machine nothing is known"
    with hold(operator("bob"), "shift") as holding:
        assert holding.former == dead
    assert [entry.step for entry in operator("bob").entries()] == ["take the lease over"]


def test_a_lease_of_a_function_s_call_is_free_for_its_next_one_where_one_runs_at_a_time(operator, monkeypatch):
    dead, next_one, elsewhere = operator("alice"), operator("alice"), operator("alice")
    next_one._alone = True
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "payments-Switchover")
    held, _ = dead.acquire("switchover")  # by a process that is still there, as far as can be seen
    assert held.place.host == "payments-Switchover"
    with pytest.raises(LeaseHeld):
        elsewhere.acquire("switchover")
    taken, former = next_one.acquire("switchover")
    assert (former, taken.token) == (held, held.token + 1)
    with pytest.raises(LeaseLost):
        dead.append("switchover", "fence", "intent", under=held)
    # Whoever is no call of this function keeps his lease as long as it lives.
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "payments-Rollback")
    with pytest.raises(LeaseHeld):
        next_one.acquire("switchover")
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    with pytest.raises(LeaseHeld):
        next_one.acquire("switchover")


def test_unlock_asks_ends_the_lease_and_records_whose_it_was(operator):
    alice, bob = operator("alice"), operator("bob")
    assert unlock(bob, Console(), yes=True, why="") is None
    with pytest.raises(LeaseLost, match="nobody"), hold(alice, "deploy") as holding:
        with pytest.raises(NotConfirmed):
            unlock(bob, Console(), yes=False, why="")
        assert alice.lease() == holding.lease
        assert unlock(bob, Console(), yes=True, why="gone") == holding.lease
        with holding.step("next"):
            pytest.fail("the lease was ended")
    (entry,) = bob.entries()
    assert (entry.verb, entry.why, entry.evidence["from"]) == ("unlock", "gone", alice.who)


@pytest.mark.parametrize("mode", ["throttled", "broken", "lost", "late"])
def test_a_lost_answer_doubles_nothing(operator, mode):
    """Each call of a whole hold fails once: what had taken effect is recognised."""
    count = 1
    index = 0
    while index < count:
        alice = operator(f"alice-{index}")
        before = [entry.sequence for entry in alice.entries()]
        faults = Faults(alice.aws)
        alice.aws.client("dynamodb")
        faults.arm(index, mode)
        with hold(alice, "shift") as holding, holding.step("act"):
            pass
        count = max(count, len(faults.calls) - 1)
        faults.disarm()
        added = [entry for entry in alice.entries() if entry.sequence not in before]
        assert [(entry.step, entry.kind) for entry in added] == [("act", "intent"), ("act", "done")]
        assert not alice.lease().held
        index += 1
    assert index >= 6


def test_several_entries_are_appended_together_for_one_call(operator):
    alice = operator("alice")
    faults = Faults(alice.aws)
    alice.aws.client("dynamodb")
    with hold(alice, "switchover") as holding:
        alice.append_all([Draft("switchover", "fence", "intent")], holding.lease)
        faults.disarm()
        for n in range(5):
            alice.append_all(
                [Draft("switchover", f"step {n}", "done"), Draft("switchover", f"step {n + 1}", "intent")],
                holding.lease,
            )
        assert faults.calls == ["dynamodb.TransactWriteItems"] * 5
        operator("bob").append("unlock", "meanwhile", "note")
        alice.append("switchover", "after", "note", under=holding.lease)
    assert [e.sequence for e in alice.entries()] == list(range(1, 14))
    assert [e.step for e in alice.entries()][-2:] == ["meanwhile", "after"]


def test_nothing_of_a_transaction_is_appended_under_a_lost_lease(operator):
    alice = operator("alice")
    lease, _ = alice.acquire("switchover")
    operator("bob").acquire("rollback", over=True)
    with pytest.raises(LeaseLost, match="user/bob"):
        alice.append_all([Draft("switchover", "a", "done"), Draft("switchover", "b", "intent")], lease)
    assert list(alice.entries()) == []


COMMIT = Draft("switchover", "commit the writer", "done", "the night", {"lag": 0})


def test_the_writer_moves_with_its_entry_and_only_from_its_epoch(operator):
    alice = operator("alice")
    lease, _ = alice.acquire("switchover")
    assert alice.writer() == Writer("source", 0)
    with pytest.raises(WriterMoved):
        alice.commit_writer(lease, 0, "source", COMMIT)
    with pytest.raises(WriterMoved):
        alice.commit_writer(lease, 1, "target", COMMIT)
    assert (list(alice.entries()), alice.writer()) == ([], Writer("source", 0))
    entry = alice.commit_writer(lease, 0, "target", COMMIT)
    assert (list(alice.entries()), alice.writer()) == ([entry], Writer("target", 1))
    for epoch, side in ((0, "target"), (1, "target"), (0, "source"), (2, "source")):
        with pytest.raises(WriterMoved, match="target is the writer since epoch 1"):
            alice.commit_writer(lease, epoch, side, COMMIT)
    alice.commit_writer(lease, 1, "source", COMMIT)
    alice.commit_writer(lease, 2, "target", COMMIT)
    assert (len(list(alice.entries())), alice.writer()) == (3, Writer("target", 3))


def test_a_stale_holder_does_not_move_the_writer(operator):
    alice = operator("alice")
    stale, _ = alice.acquire("switchover")
    lease, _ = operator("bob").acquire("rollback", over=True)
    with pytest.raises(LeaseLost, match="user/bob"):
        alice.commit_writer(stale, 0, "target", COMMIT)
    assert (list(alice.entries()), alice.writer()) == ([], Writer("source", 0))
    assert alice.lease() == lease


def test_of_many_threads_one_moves_the_writer(operator):
    """All of them hold the lease, as nobody could: the epoch alone decides."""
    journals = [operator(f"operator-{n}") for n in range(6)]
    lease, _ = journals[0].acquire("switchover")
    moved, refused = [], []

    def commit(number: int) -> None:
        try:
            moved.append(journals[number].commit_writer(lease, 0, "target", COMMIT))
        except WriterMoved as error:
            refused.append(error.writer)

    together(6, commit)
    assert refused == [Writer("target", 1)] * 5
    assert list(journals[0].entries()) == moved


COMMIT_FROM_A_PROCESS = """
import sys
from paymig.aws.session import Aws
from runtime_lambdas.runtime.journal.entry import Draft
from runtime_lambdas.runtime.journal.journal import Journal
endpoint, account, table, migration, who = sys.argv[1:]
journal = Journal(
    Aws("us-east-2", endpoint_url=endpoint, credentials=(account, "x")).client("dynamodb"), table, migration, who
)
lease = journal.lease()
print("ready", flush=True)
sys.stdin.readline()
try:
    journal.commit_writer(lease, 0, "target", Draft("switchover", "commit", "done"))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_of_two_processes_one_moves_the_writer(operator, embedded):
    alice = operator("alice")
    alice.acquire("switchover")
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", COMMIT_FROM_A_PROCESS, embedded.endpoint_url, embedded.account_id),
                *(NAME, alice.migration, f"arn:aws:iam::111122223333:user/{who}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("alice", "bob")
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ended) == [0, 1], ended
    assert [err for err, code in ended if code] == [
        "WriterMoved: the target is the writer since epoch 1, and not as it was in epoch 0. "
        "paymig history shows who moved it\n"
    ]
    assert alice.writer() == Writer("target", 1)
    assert len(list(alice.entries())) == 1


@pytest.mark.parametrize("mode", ["throttled", "broken", "lost", "late"])
def test_a_commit_whose_answer_is_lost_is_made_once(operator, mode):
    alice = operator("alice")
    lease, _ = alice.acquire("switchover")
    alice.append("switchover", "fence", "done", under=lease)
    faults = Faults(alice.aws)
    alice.aws.client("dynamodb")
    faults.arm(0, mode)
    alice.commit_writer(lease, 0, "target", COMMIT)
    assert faults.calls == ["dynamodb.TransactWriteItems"] * 2
    assert alice.writer() == Writer("target", 1)
    assert [e.step for e in alice.entries()] == ["fence", "commit the writer"]


def test_a_damaged_control_item_names_no_writer_and_takes_no_commit(operator):
    alice = operator("alice")
    lease, _ = alice.acquire("switchover")
    item = {"migration": alice.migration, "item": "control", "writer": "both"}
    alice.aws.client("dynamodb").put_item(
        TableName=NAME, Item={name: {"S": value} for name, value in item.items()} | {"epoch": {"N": "0"}}
    )
    for act in (alice.writer, lambda: alice.commit_writer(lease, 0, "target", COMMIT)):
        with pytest.raises(WriterUnknown, match="'both'"):
            act()
    assert list(alice.entries()) == []

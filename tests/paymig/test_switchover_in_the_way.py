"""What other sessions hold on to stops `paymig switchover` before the pause, with words and not with a traceback."""

from contextlib import closing

import psycopg2
import pytest

from runtime_lambdas.runtime.comparison import session
from schemas.load import load
from tests.paymig.operators import BOB, approve
from tests.paymig.paying import checkout, may_pay, type_


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs")


@pytest.fixture
def spec(file):
    return load(file)


@pytest.mark.parametrize(
    ("side", "holds", "says", "mends"),
    [
        ("source", "UPDATE payments SET reference = 'r'", "process {} of ", "end it: SELECT pg_terminate_backend({})"),
        (
            "target",
            "LOCK TABLE payments IN SHARE UPDATE EXCLUSIVE MODE",
            "a lock was not to be had in time",
            "xact_start",
        ),
    ],
    ids=["a transaction", "a lock"],
)
def test_it_is_a_refusal_that_says_who_and_what_to_do(
    capsys, stage, file, replicating, monkeypatch, side, holds, says, mends
):
    monkeypatch.setattr(session, "_PINNED", {**session._PINNED, "lock_timeout": "300ms"})
    approve(stage, load(file), who=BOB)
    opens = {
        "source": lambda: replicating.login("source", "application").open(),
        "target": lambda: psycopg2.connect(stage.target_dsn),
    }
    with closing(opens[side]()) as holding:
        holding.cursor().execute(holds)
        number = holding.info.backend_pid
        code, _, said = type_(capsys, file, "switchover")
        holding.rollback()
    assert code == 3, said
    error = said.partition("error: ")[2]
    assert says.format(number) in error
    assert mends.format(number) in error
    assert may_pay(replicating, "source", "still") and not may_pay(replicating, "target", "not yet")
    code, _, said = type_(capsys, file, "switchover")
    assert code == 0, said

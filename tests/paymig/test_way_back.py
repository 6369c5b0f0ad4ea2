"""What `paymig status` says of the way back once the target is the writer, between two real servers."""

import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.switchover.phases import Step
from schemas.load import load
from tests.paymig.operators import another, approve, live
from tests.paymig.paying import checkout, dies_at, execute, execute_alone, may_pay, type_

BACK = "paymig_ledger_prod_rev"


@pytest.fixture
def file(tmp_path):
    return checkout(tmp_path / "specs")


@pytest.fixture
def spec(file):
    return load(file)


def test_lossless_is_said_of_the_replication_that_the_switchover_proved(
    stage, spec, file, replicating, capsys, tmp_path
):
    def rollback():
        return type_(capsys, file, "status", "--html", str(tmp_path / "status.html"), yes=False)[1][-1]["rollback"]

    approve(stage, spec)
    code, _, said = type_(capsys, file, "switchover")
    assert code == 0, said
    assert may_pay(replicating, "target", "after")
    told = rollback()
    assert told["lossless"] is True and "the source follows it" in told["why"]
    assert 0 < told["seconds"] < 600 and "the last move paused writes for" in told["why"]
    assert "loses nothing" in (tmp_path / "status.html").read_text()

    execute(stage.source_dsn, f"ALTER SUBSCRIPTION {BACK} DISABLE")
    told = rollback()
    assert told["lossless"] is False and f"`ALTER SUBSCRIPTION {BACK} ENABLE` on the source goes on" in told["why"]
    execute(stage.source_dsn, f"ALTER SUBSCRIPTION {BACK} ENABLE")
    while rollback()["lossless"] is not True:
        pass

    # Somebody makes it anew, with the old slot's place lost: its beats arrive, a payment in between does not.
    remake(stage, replicating)
    told = rollback()
    assert told["lossless"] is False and "not the one that was recorded" in told["why"]
    assert "the target holds every payment" in told["why"], "nobody may be told to empty the writer's tables"

    code, _, said = type_(capsys, file, "finalize", yes=False)
    assert code == 4 and "This ends the way back: the source gets no change from now on" in said
    assert rollback()["lossless"] is False and "not the one that was recorded" in rollback()["why"], "nothing has ended"
    code, _, said = type_(capsys, file, "finalize")
    assert code == 0, said
    told = rollback()
    assert (told["lossless"], told["seconds"]) == (False, None) and "ended the way back" in told["why"]


def test_a_writer_whom_the_traffic_has_left_goes_back_to_it(stage, spec, file, replicating, capsys):
    """No command turns the traffic to the target then: somebody set the weights by hand."""
    approve(stage, spec)
    code, _, said = type_(capsys, file, "switchover")
    assert code == 0, said
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    code, told, _ = type_(capsys, file, "status", yes=False)
    assert code == 8 and "until paymig rollback moves the writer back" in told[-1]["stopped"]
    assert type_(capsys, file, "shift", "--to", "100%")[0] == 3
    type_(capsys, file, "switchover")
    assert live(stage, spec) == Weights.to_new(0)
    code, _, said = type_(capsys, file, "rollback")
    assert code == 0, said
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert type_(capsys, file, "status", yes=False)[1][-1]["stopped"] is None
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(100))


def test_a_way_back_that_lost_changes_names_its_price(stage, spec, file, replicating, capsys):
    approve(stage, spec)
    code, _, said = type_(capsys, file, "switchover")
    assert code == 0, said
    remake(stage, replicating)  # it works, and its beats arrive
    code, _, said = type_(capsys, file, "rollback")
    assert code == 3
    assert "not the one that was recorded" in said
    assert "going back now loses 1 rows, counted on the target" in said
    assert "paymig rollback --accept-loss 1" in said
    code, _, said = type_(capsys, file, "rollback", "--accept-loss", "0")
    assert code == 3 and "1 rows of the target are not on the source" in said, said
    assert not may_pay(replicating, "source", "refused")
    code, told, said = type_(capsys, file, "rollback", "--accept-loss", "1")
    assert code == 0, said
    assert told[-1]["writer"] == "source"
    assert [may_pay(replicating, side, f"{side} given up") for side in ("source", "target")] == [True, False]


def test_a_move_that_stopped_half_way_is_no_healthy_state(stage, spec, file, replicating, capsys, tmp_path):
    page = tmp_path / "status.html"

    def status():
        code, told, _ = type_(capsys, file, "status", "--html", str(page), yes=False)
        return code, told[-1]

    code, told = status()
    assert (code, told["healthy"], told["stopped"]) == (0, True, None)
    approve(stage, spec)
    with dies_at(Step.COMPARE):
        type_(capsys, file, "switchover")
    code, told = status()
    assert (code, told["healthy"], told["phase"]) == (8, False, "switching")
    assert "stopped in the pause" in told["stopped"] and "the switchover is undone first" in told["rollback"]["why"]
    assert "stopped in the pause" in page.read_text()
    with hold(open_journal(another(stage), spec.migration.full_name), "switchover"):
        assert status()[1]["stopped"] is None, "somebody is at work on it"
    with dies_at(Step.OPEN):
        type_(capsys, file, "switchover")
    code, told = status()
    assert (code, told["phase"]) == (8, "baking")
    assert "nobody can write until paymig switchover completes it" in told["stopped"]
    with dies_at(Step.RETIRE):
        type_(capsys, file, "switchover")
    assert status()[1]["stopped"] is None, "applications write to the target; what is left harms nobody"
    assert type_(capsys, file, "switchover")[0] == 0
    assert status()[0] == 0


def remake(stage, databases):
    [(connection,)] = execute(stage.source_dsn, f"SELECT subconninfo FROM pg_subscription WHERE subname = '{BACK}'")
    [(owner,)] = execute(
        stage.source_dsn, f"SELECT subowner::regrole::text FROM pg_subscription WHERE subname = '{BACK}'"
    )
    execute_alone(stage.source_dsn, f"DROP SUBSCRIPTION {BACK}")
    assert may_pay(databases, "target", "lost")
    reach = connection.replace("'", "''")
    execute_alone(
        stage.source_dsn,
        f"CREATE SUBSCRIPTION {BACK} CONNECTION '{reach}' PUBLICATION {BACK} WITH (copy_data = false)",
    )
    execute(stage.source_dsn, f"ALTER SUBSCRIPTION {BACK} OWNER TO {owner}")

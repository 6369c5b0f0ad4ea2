"""The state machine that moves the writer, in the embedded AWS, between two real servers, by the deployed function."""

import json
from contextlib import closing

import psycopg2
import pytest

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.cli import main
from paymig.console import Console
from paymig.cutover import in_cloud
from paymig.databases import Databases
from paymig.deploy import record_of
from paymig.journal.opening import open_journal
from paymig.operation import Operation
from paymig.replication import run
from paymig.replication.engines import engine_for
from runtime_lambdas.runtime.journal.hold import hold
from runtime_lambdas.switchover import databases as moves
from runtime_lambdas.switchover.decide import Wish
from schemas.load import load
from tests.paymig.conftest import SPECS
from tests.paymig.operators import another
from tests.runtime_lambdas.conftest import SCHEMA

FILE = SPECS / "logical-vpn.yaml"
PAY = (
    "INSERT INTO payments (idempotency_key, request_digest, merchant, amount, currency, status)"
    " VALUES ('{}', 'd', 'Zoë', 1, 'EUR', 'captured')"
)


@pytest.fixture
def spec():
    return load(FILE)


@pytest.fixture
def replicating(stage, spec, deploy, monkeypatch):
    """A deployed migration with all traffic on the new API and a target that follows."""
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    deploy(spec)
    execute(stage.target_dsn, SCHEMA.read_text())
    execute(stage.source_dsn, PAY.format("before"))
    with Databases(stage.aws, spec) as databases:
        engine = engine_for(spec.migration, databases)
        journal = open_journal(stage.aws, spec.migration.full_name)
        assert run.start(engine, journal, databases, spec.migration, Console("json")).healthy
        weights.write(stage.aws, record_of(spec.migration), Weights.to_new(100))
        yield databases
        engine.close()


def execute(dsn, sql):
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def may_pay(databases, side, key):
    role = {"source": "application", "target": "api"}[side]
    try:
        with closing(databases.login(side, role).open()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(PAY.format(key))
    except psycopg2.errors.InsufficientPrivilege:
        return False
    return True


def command(capsys, *words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*words, str(FILE), "--yes", "--format", "json"])
    said = capsys.readouterr()
    return ended.value.code, said


def test_the_writer_moves_and_comes_back_by_the_machine(stage, spec, replicating, capsys):
    with hold(open_journal(another(stage), spec.migration.full_name), "shift"):
        code, said = command(capsys, "switchover", "--in-cloud")
        assert code == 3
        assert "LeaseHeld: " in said.err
        assert "for `paymig shift`" in said.err
    at = Operation(FILE, None, None, None, stage.aws.endpoint_url, "json", False)
    started = in_cloud._start(at, Wish.SWITCHOVER, "by one operator")
    assert in_cloud._start(at, Wish.SWITCHOVER, "by another one, meanwhile") == started
    code, said = command(capsys, "switchover", "--in-cloud")
    assert code == 0, said
    *events, result = map(json.loads, said.out.splitlines())
    assert (result["writer"], result["epoch"]) == ("target", 1)
    assert 0 < result["pause"] < 5
    assert [one["step"] for one in events if one["what"] == "done"][-3:] == ["commit", "open", "retire"]
    assert [may_pay(replicating, side, "after") for side in ("source", "target")] == [False, True]

    code, said = command(capsys, "rollback", "--in-cloud")
    assert code == 0, said
    assert json.loads(said.out.splitlines()[-1])["writer"] == "source"
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]
    assert execute(stage.source_dsn, "SELECT idempotency_key FROM payments ORDER BY 1") == [
        ("after",),
        ("back",),
        ("before",),
    ]
    code, said = command(capsys, "finalize", "--in-cloud")
    assert code == 3
    assert "MoveRefused: the source is still the writer" in said.err
    assert sorted((one["name"], one["status"]) for one in executions(stage)) == [
        ("finalize-2-1", "FAILED"),
        ("switchback-1-1", "SUCCEEDED"),
        ("switchover-0-1", "FAILED"),
        ("switchover-0-2", "SUCCEEDED"),
    ]


def executions(stage):
    client = stage.aws.client("stepfunctions")
    [machine] = [one for one in client.list_state_machines()["stateMachines"] if one["name"].endswith("-move")]
    return client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]


class Died(BaseException):
    """The operator's process is gone."""


@pytest.mark.parametrize("cloud", [(), ("--in-cloud",)])
def test_a_way_back_that_died_past_its_point_of_no_return_is_completed_by_rollback(
    stage, spec, replicating, capsys, monkeypatch, cloud
):
    """Until then nobody can pay: the target is fenced for good, and the source is not open yet."""
    code, said = command(capsys, "switchover")
    assert code == 0, said

    def die(*_):
        raise Died

    with monkeypatch.context() as last_moment, pytest.raises(Died):
        last_moment.setattr(moves.Databases, "_open", die)
        main(["rollback", str(FILE), "--yes"])
    assert [may_pay(replicating, side, "nowhere") for side in ("source", "target")] == [False, False]

    code, said = command(capsys, "rollback", *cloud)
    assert code == 0, said
    assert json.loads(said.out.splitlines()[-1])["writer"] == "source"
    assert [may_pay(replicating, side, "back") for side in ("source", "target")] == [True, False]

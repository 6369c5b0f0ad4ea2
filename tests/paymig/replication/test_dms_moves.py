"""The writer moves and comes back with `engine: dms`: the real commands, and the deployed function, by DMS's own API.

Both servers are Debian's, which have the test_decoding that DMS reads with; a carrier stands in for DMS's workers.
"""

import json
import threading
from collections import defaultdict
from contextlib import closing

import pytest

from compiler.compile import compile_spec
from compiler.names import MIGRATION_TAG
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.deploy import record_of
from paymig.journal.opening import open_journal
from paymig.policy.places import places
from paymig.policy.rights import OF_SERVERLESS, OF_TASKS
from paymig.rehearsal.stage import open_stage
from paymig.replication.engines import engine_for
from runtime_lambdas.runtime.replication import dms_course
from runtime_lambdas.switchover.databases import Databases
from schemas.load import load
from tests.paymig.conftest import SPECS
from tests.paymig.iam import World, allows, asked
from tests.paymig.operators import PATIENCE, Operator, another, history, live, until
from tests.paymig.paying import execute, may_pay, type_
from tests.paymig.recording import Recorder
from tests.paymig.replication import carrier as carriers
from tests.paymig.replication.carrier import Carrier, works

KEPT = ("commit", "open")
VERSION = "15.13"
"""Of the target, and so of the source."""


BAKED = {"\ncutover:\n": "\ncutover:\n  steps: [{to: 100%, bake: 0s}]\n"}
TOGETHER = {"\ncutover:\n": "\ncutover:\n  strategy: together\n  steps: [{to: 100%, bake: 1h}]\n"}
SERVERLESS = {"engine: logical": "engine: dms\n  serverless: {min: 1, max: 4}"}


@pytest.fixture
def file(tmp_path, request):
    """The spec; a parameter is what else is changed in it."""
    changes = {
        "engine: logical": "engine: dms",
        'engine_version: "17.5"': f'engine_version: "{VERSION}"',
        # Nobody has to approve, and a busy machine may take its time.
        "pause_budget: 5s, approval: second-person": "pause_budget: 20s, approval: none",
        **getattr(request, "param", {}),
    }
    for name in ("logical-vpn.yaml", "onprem-ca.pem"):
        text = (SPECS / name).read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
    return tmp_path / "logical-vpn.yaml"


@pytest.fixture
def spec(file):
    return load(file)


@pytest.fixture
def stage(spec):
    with open_stage(spec.migration) as opened:
        yield opened


@pytest.fixture
def carrier(stage):
    aws = another(stage)
    with Carrier(aws.client) as carrying:
        yield carrying
        assert carrying.failures == {}


@pytest.fixture
def replicating(carrier, replicating):
    return replicating


@pytest.fixture
def typed(capsys, file, carrier, replicating, monkeypatch):
    """A command typed, and what it asks of DMS recorded; the carrier has its clients by then, and is not heard."""
    recorder = Recorder()
    recorder.install(monkeypatch)

    def type_it(*words: str, **how):
        with recorder.during(words[0]):
            return type_(capsys, file, *words, **how)

    type_it.recorder = recorder
    return type_it


class Payers:
    """Applications of both sides that pay all the time; one of the two sides takes it."""

    def __init__(self, databases) -> None:
        self.acknowledged: list[str] = []
        self._databases = databases
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._over.wait(0.02):
            for side in ("source", "target"):
                number += 1
                if may_pay(self._databases, side, f"payer {number}"):
                    self.acknowledged.append(f"payer {number}")


def rows(dsn):
    return execute(dsn, "SELECT idempotency_key, t::text FROM payments t ORDER BY 1")


@pytest.mark.parametrize(
    ("file", "cloud"),
    [(BAKED, ()), (BAKED, ("--in-cloud",)), (BAKED | SERVERLESS, ())],
    ids=["by the command", "in the cloud", "serverless"],
    indirect=["file"],
)
def test_the_writer_moves_and_comes_back_as_often_as_wanted(stage, spec, replicating, carrier, typed, cloud):
    dms = stage.aws.client("dms")
    for verb, yes in (("stop", True), ("start", False), ("status", False)):
        code, _, said = typed("replicate", verb, yes=yes)
        assert code == 0, (said, carrier.failures)

    places = []
    with Payers(replicating) as payers:
        for turn in (1, 2):
            code, told, said = typed("switchover", *cloud)
            assert code == 0, (said, carrier.failures)
            assert (told[-1]["writer"], told[-1]["epoch"]) == ("target", 2 * turn - 1)
            typed("status", yes=False)
            assert [may_pay(replicating, side, f"after {turn}") for side in ("source", "target")] == [False, True]
            code, told, said = typed("rollback", *cloud)
            assert code == 0, (said, carrier.failures)
            assert told[-1]["writer"] == "source"
            assert [may_pay(replicating, side, f"back {turn}") for side in ("source", "target")] == [True, False]
            places.append({work.name: work.began for work in works(dms)})
    name = spec.migration.full_name
    assert places[0][name] == "", "the load begins nowhere"
    for follows in (f"{name}-back", f"{name}-again"):
        first, second = places[0][follows], places[1][follows]
        assert first
        assert second not in ("", first), "each move begins at a place of its own"
    assert execute(stage.target_dsn, "SELECT slot_name FROM pg_replication_slots") == [], "nothing holds its log"
    with closing_engine(spec, replicating, stage) as engine:
        engine.marker(60)
        assert engine.progress().state == "replicating"
    assert rows(stage.source_dsn) == rows(stage.target_dsn)
    kept = {key for key, _ in rows(stage.source_dsn)}
    assert kept == {"before", "after 1", "after 2", "back 1", "back 2", *payers.acknowledged}
    if cloud:
        code, told, said = typed("switchover", *cloud)
    else:
        typed("replicate", "stop")
        code, told, said = typed("cutover")
        walked = ["paymig replicate start", "paymig shift --to 100%", "paymig switchover"]
        assert told[-1]["done"] == walked, said
    assert code == 0, said
    code, told, said = typed("finalize", *cloud)
    assert code == 0, said
    assert {work.status for work in works(dms)} == {"stopped"}
    assert execute(stage.target_dsn, "SELECT slot_name FROM pg_replication_slots") == []
    if not cloud:
        demand_that_the_policy_says_it(spec, stage, typed.recorder)


def demand_that_the_policy_says_it(spec, stage, recorder) -> None:
    """An operator may ask of DMS what the commands asked, there, and nothing more."""
    rights = OF_TASKS if spec.migration.replication.serverless is None else OF_SERVERLESS
    calls = [one for one in recorder.calls if one.service in ("dms", "databasemigrationservice")]
    arns = {value for one in calls for name, value in one.parameters.items() if name.endswith("Arn")}
    # CloudFormation gives the tags of the stack to each resource; the embedded DMS cannot be asked for them.
    tags = {MIGRATION_TAG: spec.migration.full_name}
    world = World(stage.aws.region, stage.embedded.account_id, dict.fromkeys(arns, tags))
    known = places(compile_spec(spec))
    used = defaultdict(set)
    for one in (one for call in calls for one in asked(call, world)):
        [right] = [
            right
            for right in rights
            if right.action == one.action and allows(known[right.place].statement("x", (one.action,)).to_json(), one)
        ]
        used[right.action].add(one.command)
    if rights is OF_TASKS:
        # DMS remembers a connection that it tested: whichever command starts a task first has it tested.
        assert set() < used["dms:TestConnection"] <= used["dms:StartReplicationTask"]
        used["dms:TestConnection"] = used["dms:StartReplicationTask"]
    assert {right.action: set(right.commands.split()) for right in rights} == used


def test_a_place_that_cannot_be_kept_in_time_ends_the_pause_where_the_writer_was(
    stage, file, spec, replicating, carrier, capsys, monkeypatch
):
    real = Databases._set_sequences
    with closing(stage.target.connect(spec.migration.database_name)) as opened, opened.cursor() as cursor:

        def then_somebody_writes(*arguments):
            cursor.execute("BEGIN; SELECT pg_current_xact_id()")
            return real(*arguments)

        patient = file.read_text()
        file.write_text(patient.replace("pause_budget: 20s", "pause_budget: 8s"))  # all of it is waited out
        with monkeypatch.context() as last_moment:
            last_moment.setattr(Databases, "_set_sequences", then_somebody_writes)
            code, _, said = type_(capsys, file, "switchover")
        file.write_text(patient)
        assert code != 0
        assert "the source takes writes again" in said, said
        assert "that waits until every transaction that has written ends" in said
    assert [may_pay(replicating, side, "undone") for side in ("source", "target")] == [True, False]
    assert execute(stage.target_dsn, "SELECT slot_name FROM pg_replication_slots") == []
    with closing_engine(spec, replicating, stage) as engine:
        engine.marker(60)
    code, _, said = type_(capsys, file, "switchover")
    assert code == 0, said
    assert rows(stage.source_dsn) == rows(stage.target_dsn)


def test_a_way_back_whose_slot_is_gone_says_what_it_costs(stage, file, spec, replicating, carrier, capsys):
    code, told, said = type_(capsys, file, "switchover")
    assert code == 0, said
    with closing_engine(spec, replicating, stage) as engine:
        back = engine.reverse()
        back.marker(60)
        back.pause()
        back.close()
    slot = dms_course.slot_name(spec.migration.full_name)
    execute(stage.target_dsn, f"SELECT pg_drop_replication_slot('{slot}')")
    assert may_pay(replicating, "target", "at stake")
    code, told, said = type_(capsys, file, "rollback")
    assert code == 3
    assert "going back now loses 1 rows" in said
    code, told, said = type_(capsys, file, "rollback", "--accept-loss", "1")
    assert code == 0, said
    assert told[-1]["writer"] == "source"
    assert [may_pay(replicating, side, "lost") for side in ("source", "target")] == [True, False]
    code, told, said = type_(capsys, file, "replicate", "status", yes=False)
    assert json.loads(json.dumps(told))[-1]["state"] == "absent"


@pytest.mark.parametrize("file", [TOGETHER], indirect=True)
def test_the_traffic_follows_the_writer_before_the_way_back_is_started(
    stage, file, spec, replicating, carrier, capsys, monkeypatch
):
    """To start a task takes DMS minutes, and may fail; until the traffic follows, clients are refused their writes."""
    weights.write(another(stage), record_of(spec.migration), Weights.to_new(0))
    before = history(stage.aws, spec)
    for cloud, last in (([], ["open", "traffic", "retire"]), (["--in-cloud"], ["open", "retire", "traffic"])):
        code, told, said = type_(capsys, file, "switchover", "--plan", *cloud, yes=False)
        assert code == 0, said
        steps = {one["step"]: one["back"] for one in told[-1]["steps"]}
        assert list(steps)[-3:] == last
        assert all(steps[step].startswith("not proved before retire: the target keeps the place") for step in KEPT)
        assert steps["retire"].startswith("once this has proved replication from the target to the source")
        assert told[-1]["expected_pause"]["parts"]
    assert history(stage.aws, spec) == before, "nothing was done"

    goes_on = threading.Event()
    starts = carriers._Stream.__init__

    def late(stream, *arguments, **named):
        assert goes_on.wait(PATIENCE)
        starts(stream, *arguments, **named)

    monkeypatch.setattr(carriers._Stream, "__init__", late)

    def retiring(verb, times):
        found = [kind for one, step, kind in history(stage.aws, spec) if (one, step) == (verb, "retire")]
        return found == ["intent", "done"] * (times - 1) + ["intent"]

    operator = Operator(lambda: type_(capsys, file, "switchover"))
    until(lambda: retiring("switchover", 1), "the way back is not started")
    assert live(stage, spec) == Weights.to_new(100)
    assert [may_pay(replicating, side, "forth") for side in ("source", "target")] == [False, True]
    goes_on.set()
    code, _, said = operator.end()
    assert code == 0, (said, carrier.failures)
    code, _, said = type_(capsys, file, "rollback")
    assert code == 0, (said, carrier.failures)
    assert live(stage, spec) == Weights.to_new(0)

    goes_on.clear()
    operator = Operator(lambda: type_(capsys, file, "switchover", "--in-cloud"))
    until(lambda: retiring("switchover", 2), "the way back is not started")
    client = stage.aws.client("stepfunctions")
    [machine] = [one for one in client.list_state_machines()["stateMachines"] if one["name"].endswith("-move")]
    [running] = client.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")["executions"]
    client.stop_execution(executionArn=running["executionArn"])
    assert live(stage, spec) == Weights.to_new(0), "the call that was under way ends its act first"
    goes_on.set()
    code, _, said = operator.end()
    assert code == 3 and "the execution is arn:" in said, said
    assert live(stage, spec) == Weights.to_new(100), "it was waited for"
    journal = open_journal(another(stage), spec.migration.full_name)
    until(lambda: not journal.lease().held, "the call does not end")
    code, _, said = type_(capsys, file, "switchover", "--in-cloud")
    assert code == 0, said
    assert live(stage, spec) == Weights.to_new(100)


def closing_engine(spec, databases, stage):
    return closing(engine_for(spec.migration, databases, stage.aws))

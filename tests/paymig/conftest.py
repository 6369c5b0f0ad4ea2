"""A stage to play on, and a deployed migration."""

import pytest

from compiler.compile import Compiled, compile_spec
from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.console import Console
from paymig.databases import Databases
from paymig.deploy import Deployer, Deployment, record_of
from paymig.journal.opening import open_journal
from paymig.rehearsal.stage import Stage, open_stage
from paymig.replication import run
from paymig.replication.engines import engine_for
from schemas.load import Spec, load
from tests.paymig.paying import PAY, SPECS, execute
from tests.runtime_lambdas.conftest import SCHEMA


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load(SPECS / "payments.yaml")


@pytest.fixture(scope="session")
def compiled(spec: Spec) -> Compiled:
    return compile_spec(spec)


@pytest.fixture
def stage(spec: Spec):
    with open_stage(spec.migration) as opened:
        yield opened


@pytest.fixture
def deploy(stage: Stage):
    """Deploy a spec on the stage."""

    def run(spec: Spec) -> Deployment:
        return Deployer(stage.aws, spec, compile_spec(spec), Console()).run(yes=True)

    return run


@pytest.fixture
def replicating(stage: Stage, spec: Spec, deploy, monkeypatch):
    """A deployed migration with a target that follows, a payment, and all traffic on the new API."""
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    deploy(spec)
    execute(stage.target_dsn, SCHEMA.read_text())
    execute(stage.source_dsn, PAY.format("before"))
    databases = Databases(stage.aws, spec)
    engine = engine_for(spec.migration, databases, stage.aws)
    journal = open_journal(stage.aws, spec.migration.full_name)
    assert run.start(engine, journal, databases, spec.migration, Console("json")).healthy
    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(100))
    yield databases
    engine.close()

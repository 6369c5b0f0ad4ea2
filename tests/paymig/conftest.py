"""A stage to play on, and a deployed migration."""

from pathlib import Path

import pytest

from compiler.compile import Compiled, compile_spec
from paymig.console import Console
from paymig.deploy import Deployer, Deployment
from paymig.rehearsal.stage import Stage, open_stage
from schemas.load import Spec, load

SPECS = Path(__file__).parents[2] / "specs"


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

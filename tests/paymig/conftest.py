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


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "campaign: every call of every command fails in every way; takes long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave campaigns out unless they are asked for by `-m`."""
    if "campaign" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]

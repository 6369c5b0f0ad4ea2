import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from compiler.compile import Compiled, compile_spec
from schemas.load import load
from tests.examples import EXAMPLES

# Their asserts tell as much as those of a test.
pytest.register_assert_rewrite("tests.compiler.design_rules")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def compiled_specs() -> dict[str, Compiled]:
    return {name: compile_spec(load(ROOT / "specs" / f"{name}.yaml")) for name in EXAMPLES}


@pytest.fixture(params=EXAMPLES, scope="session")
def compiled(request: pytest.FixtureRequest, compiled_specs: dict[str, Compiled]) -> Compiled:
    return compiled_specs[request.param]


@pytest.fixture(scope="session")
def payments(compiled_specs: dict[str, Compiled]) -> Compiled:
    return compiled_specs["payments"]


@pytest.fixture(scope="session")
def templates(payments: Compiled) -> dict[str, dict[str, Any]]:
    """The templates of specs/payments.yaml as data."""
    return {name: json.loads(body) for name, body in payments.templates.items()}


@pytest.fixture
def authority(tmp_path: Path) -> None:
    """The file that the example specs name, where a test has a folder of its own."""
    shutil.copy(ROOT / "specs" / "onprem-ca.pem", tmp_path)

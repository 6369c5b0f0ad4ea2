"""A version of the API is published when its code or its settings change, and only then."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.compile import compile_spec
from schemas.load import parse
from tests.strategies import SPECS

pytestmark = pytest.mark.usefixtures("authority")

_HANDLER = "def handler(event, context):\n    return {'statusCode': 200}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(_HANDLER)
    return tmp_path


@pytest.fixture
def version(folder: Path) -> Callable[..., str]:
    """Compile the minimal spec with the folder's code, and return the logical id of the version."""

    def compiled(more: str = "") -> str:
        api = f"\napi: {{code: code, handler: app.handler, memory: 512MiB{more}}}\n"
        text = (SPECS / "minimal.yaml").read_text() + api
        template = json.loads(compile_spec(parse(text, "migration.yaml", folder)).templates["api"])
        [found] = [key for key, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Version"]
        assert template["Resources"][found]["DeletionPolicy"] == "Retain"
        assert template["Resources"]["Alias"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [found, "Version"]}
        return found

    return compiled


def test_changed_code_makes_a_version(folder: Path, version: Callable[..., str]) -> None:
    before = version()
    (folder / "code" / "app.py").write_text(_HANDLER + "# changed\n")
    assert version() != before


def test_changed_settings_make_a_version(version: Callable[..., str]) -> None:
    assert len({version(), version(", timeout: 40s"), version(", architecture: x86_64")}) == 3


def test_nothing_else_makes_a_version(folder: Path, version: Callable[..., str]) -> None:
    before = version()
    (folder / "code" / "app.py").touch()
    (folder / "README.md").write_text("beside the code")
    assert version() == before
    assert version(", scaling: {provisioned: {min: 3, max: 60}, reserved: 90}") == before
    assert version("}\ntags: {Owner: somebody-else") == before

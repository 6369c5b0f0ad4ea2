import json
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.bootstrap import ACCOUNT_ROLES, bootstrap
from tests.compiler.walk import of_type


@pytest.mark.parametrize("missing", [frozenset(), frozenset({"dms-vpc-role"}), frozenset(ACCOUNT_ROLES)])
def test_it_lints_and_makes_only_the_roles_that_are_missing(missing: frozenset[str], tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.json"
    path.write_bytes(bootstrap(missing))
    roles = of_type(json.loads(path.read_text()), "AWS::IAM::Role")
    assert {role["RoleName"] for role in roles.values()} == missing
    script = "import sys; from cfnlint.runner import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_nothing_of_it_goes_with_the_stack() -> None:
    template = json.loads(bootstrap())
    kept = {key for key, one in template["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == template["Resources"].keys() - {"ArtifactsPolicy"}
    [journal] = of_type(template, "AWS::DynamoDB::Table").values()
    assert journal["DeletionProtectionEnabled"] is True
    assert journal["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert [key["AttributeName"] for key in journal["KeySchema"]] == ["migration", "item"]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="admin"):
        bootstrap(frozenset({"admin"}))

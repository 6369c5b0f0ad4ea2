"""The rehearsal as an operator runs it: to the end, and without leaving anything behind."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize("name", ["payments", "minimal"])
def test_a_rehearsal_ends_with_the_proof(name):
    folder = Path(tempfile.mkdtemp(prefix="paymig-test-"))
    folder.chmod(0o755)  # the database server runs as another user when this one is root
    done = subprocess.run(
        [sys.executable, "-m", "paymig", "rehearse", str(SPECS / f"{name}.yaml"), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    steps = {step["name"]: step["result"] for step in report["steps"]}
    assert report["payments"] >= 30
    assert steps["redeploy, changed"].endswith("weights did not move: old 50, new 50")
    assert [name for name in steps if name.startswith("shift")] == [
        "shift to 1 %", "shift to 10 %", "shift to 50 %", "shift to 100 %",
    ]  # fmt: skip
    assert steps["roll back"] == "live weights: old 100, new 0"
    folder.rmdir()  # fails when anything was left behind
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in processes

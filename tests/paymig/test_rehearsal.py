"""The rehearsal as an operator runs it: to the end, and without leaving anything behind."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from paymig.commands.runbook import command as runbook
from tests.processes import PAYMIG

SPECS = Path(__file__).parents[2] / "specs"
QUICK = ["--rate", "30", "--rows", "500", "--duration", "1"]


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="paymig-test-"))
    made.chmod(0o755)  # the database server runs as another user when this one is root
    yield made
    with suppress(OSError):
        made.rmdir()


def start(folder, *arguments, **more):
    return subprocess.Popen(
        [*PAYMIG, "rehearse", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def left_behind(folder):
    """Processes that know the folder, and files in it."""
    names = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes():
                names.append((process / "cmdline").read_text().replace("\0", " "))
    return names + [str(file) for file in folder.iterdir()]


def wait_until_clean(folder):
    deadline = time.monotonic() + 120
    while (left := left_behind(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("name", ["payments", "minimal"])
def test_a_rehearsal_ends_with_the_proof(folder, name):
    running = start(folder, str(SPECS / f"{name}.yaml"), "--format", "json", *QUICK)
    out, errors = running.communicate(timeout=1200)
    assert running.returncode == 0, errors
    report = json.loads(out)
    phases = {phase["name"]: phase["result"] for phase in report["phases"]}
    assert report["kept"]
    assert report["proof"]["promised"] == report["proof"]["found"] > 100
    assert [name for name in phases if name.startswith("shift")] == ["shift 1", "shift 10", "shift 50", "shift 100"]
    # The application of the minimal spec logs in as the tables' owner, whom no fence stops.
    assert report["proof"]["writer"] == ("target" if name == "payments" else "source")
    bakes = [entry["evidence"] for entry in report["journal"] if (entry["step"], entry["kind"]) == ("bake", "done")]
    assert [bake["gates"]["validation_age"] for bake in bakes] == ["equal"] * 4  # as the deployed function published it
    assert all(bake["gates"]["error_rate"].startswith("0 % of ") for bake in bakes)
    assert report["comparison"]["verdict"] == "equal"
    assert {table["table"] for table in report["comparison"]["tables"]} >= {
        "public.payments",
        "public.transactions",
        "public.refunds",
    }
    assert len(report["lag"]) >= 3
    assert min(report["proof"]["counts"]["by_side"].values()) > 20  # both APIs served
    moved = [(move["verb"], move["committed"] is not None) for move in report["moves"]]
    assert moved == ([("switchover", True)] if name == "payments" else [])
    verbs = {entry["verb"] for entry in report["journal"]}
    assert verbs >= {"deploy", "replicate start", "shift"}
    assert verbs >= {"switchover", "finalize"} or name != "payments"
    assert left_behind(folder) == []
    (folder / "rehearsal.json").write_text(out)
    told = CliRunner().invoke(runbook, [str(SPECS / f"{name}.yaml"), "--rehearsal", str(folder / "rehearsal.json")])
    (folder / "rehearsal.json").unlink()
    commands = re.findall(r"^```sh\npaymig ", told.output, re.MULTILINE)
    rehearsed = told.output.count("In the last rehearsal it took")
    # The application of the minimal spec owns the tables: preflight says so, the switchover is refused, and there is
    # no way back to end.
    assert len(commands) - rehearsed == told.output.count("did not type it") == (0 if name == "payments" else 3)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_nothing_is_left_of_a_rehearsal_that_is_ended(folder, number, code):
    running = start(folder, str(SPECS / "payments.yaml"), *QUICK, start_new_session=True)
    for line in running.stderr:
        if line.startswith("ok shift 1"):  # both APIs, the load and all servers are up
            break
    assert left_behind(folder)
    os.kill(running.pid, number)
    running.communicate(timeout=120)
    assert running.returncode == code
    assert wait_until_clean(folder) == []

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
from schemas.load import load
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


class Seen:
    """What a rehearsal has running at some moment, whatever those processes know of its folder.

    Attributes:
        processes: itself and all that it started, theirs too, each with its beginning: an id alone is used again.
        sockets: on which they wait for connections, by inode.
    """

    def __init__(self, pid):
        table = dict(running_processes())
        known = {pid}
        while more := {one for one, (parent, _) in table.items() if parent in known} - known:
            known |= more
        self.processes = {(one, table[one][1]) for one in known}
        self.sockets = listening() & {inode for one in known for inode in sockets_of(one)}

    def left(self):
        still = {(one, began) for one, (_, began) in running_processes()}
        return [*(self.processes & still), *(self.sockets & listening())]


def running_processes():
    """Processes that are no zombies, with their parent and their beginning."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, *rest = stat.read_text().rpartition(")")[2].split()
            if state != "Z":
                yield int(stat.parent.name), (int(parent), int(rest[17]))


def sockets_of(pid):
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            if (target := str(file.readlink())).startswith("socket:["):
                yield target[8:-1]


def listening():
    lines = [line.split() for kind in ("tcp", "tcp6") for line in Path("/proc/net", kind).read_text().splitlines()[1:]]
    return {line[9] for line in lines if line[3] == "0A"}


def wait_until_clean(folder, seen):
    deadline = time.monotonic() + 120
    while (left := left_behind(folder) + seen.left()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def read_until(running, words):
    """Read what a rehearsal says up to a line that begins like this; return the lines."""
    lines = []
    for line in running.stderr:
        lines.append(line)
        if line.startswith(words):
            return lines
    pytest.fail(f"it ended before {words!r}")


@pytest.mark.parametrize("name", ["payments", "minimal"])
def test_a_rehearsal_ends_with_the_proof(folder, name):
    running = start(folder, str(SPECS / f"{name}.yaml"), "--format", "json", *QUICK)
    first = read_until(running, "ok shift 1")
    seen = Seen(running.pid)
    assert len(seen.sockets) >= 4  # two databases, AWS, the old API
    out, errors = running.communicate(timeout=1200)
    assert running.returncode == 0, errors
    report = json.loads(out)
    phases = {phase["name"]: phase["result"] for phase in report["phases"]}
    assert report["kept"]
    assert [line.strip() for line in first[2:5]] == report["notes"]  # what is not as it will be, before all else
    assert (
        report["stage"]["target in the spec"]
        == f"PostgreSQL {load(SPECS / f'{name}.yaml').migration.database.engine_version}"
    )
    assert report["stage"]["target"].startswith("PostgreSQL 16.")
    assert {"payment", "refund", "read", "repeat"} == report["proof"]["counts"]["by_kind"].keys()
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
    assert seen.left() == []
    (folder / "rehearsal.json").write_text(out)
    told = CliRunner().invoke(runbook, [str(SPECS / f"{name}.yaml"), "--rehearsal", str(folder / "rehearsal.json")])
    (folder / "rehearsal.json").unlink()
    commands = re.findall(r"^```sh\npaymig ", told.output, re.MULTILINE)
    rehearsed = told.output.count("In the last rehearsal it took")
    # The application of the minimal spec owns the tables: preflight says so, the switchover is refused, and there is
    # no way back to end.
    assert len(commands) - rehearsed == told.output.count("did not type it") == (0 if name == "payments" else 3)


@pytest.mark.parametrize("moment", ["Rehearsing", "ok replicate"])  # servers are starting; everything is up
@pytest.mark.parametrize(("kill", "number", "code"), [(os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGKILL, -9)])
def test_nothing_is_left_of_a_rehearsal_that_is_ended(folder, kill, number, code, moment):
    running = start(folder, str(SPECS / "payments.yaml"), *QUICK, start_new_session=True)
    read_until(running, moment)
    seen = Seen(running.pid)
    assert left_behind(folder)
    assert seen.left()  # so that nothing left below means something
    assert len(seen.sockets) >= (4 if moment.startswith("ok") else 0)
    kill(running.pid, number)  # a terminal sends Ctrl-C to all of its foreground processes
    running.communicate(timeout=120)
    assert running.returncode == code
    assert wait_until_clean(folder, seen) == []

"""The runbook says what the spec says, and what the last rehearsal printed."""

import json
import re
import shlex
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from paymig.cli import COMMANDS, cli
from paymig.commands.runbook import command
from paymig.rehearsal.options import Options
from paymig.rehearsal.scenario import patched, whole
from paymig.runbook.blocks import Code, Drawing, Grid, markdown
from paymig.runbook.timetable import timetable, words
from paymig.runbook.write import runbook
from schemas.load import load

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture(scope="module")
def spec():
    return load(SPECS / "payments.yaml")


def write(*arguments):
    done = CliRunner().invoke(command, [str(SPECS / "payments.yaml"), *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output


def test_every_step_of_the_spec_is_a_command_with_its_bake_and_its_way_back():
    code, text = write()
    assert code == 0
    for share, bake in ((1, "30m"), (10, "1h"), (50, "2h"), (100, "1d")):
        part = text.split(f"### {share} % of the traffic")[1].split("###")[0]
        assert f"paymig shift {SPECS / 'payments.yaml'} --to {share}%" in part
        assert f"watch for {bake}." in part
        assert "Back: paymig rollback" in part
    assert "| T + 3h 30m | 100 % of the traffic | 1d | - | required |" in text  # 30m + 1h + 2h
    assert "| T + 1d 3h 30m | Move the writer | 3d | - | required |" in text
    assert "| T + 4d 3h 30m | End the way back | - |" in text
    assert "email | payments-oncall@example.com" in text
    assert "| Approves |  |  |" in text
    assert "at most 5s behind" in text
    assert "Not rehearsed" in text


def parse(line, monkeypatch):
    """Let the real command line read a line as far as the command's own arguments."""
    monkeypatch.chdir(SPECS)
    given = cli.make_context("paymig", shlex.split(line)[1:])
    command, rest = cli, [*given._protected_args, *given.args]
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(given, rest)
        given = command.make_context(name, rest, parent=given)
        rest = [*getattr(given, "_protected_args", []), *given.args]
    assert not rest
    return given.command_path, given.params


@pytest.mark.parametrize("strategy", ["compute-first", "together"])
def test_every_command_that_it_shows_is_one_that_can_be_typed(spec, strategy, monkeypatch):
    steps = [{"to": "100%", "bake": "1h", "approval": "second-person"}]
    changed = patched(spec, {"cutover": {"strategy": strategy, "steps": steps}})
    blocks = runbook(replace(changed, file="payments.yaml"), None, Drawing("", ""))
    typed = [block.text for block in blocks if isinstance(block, Code) and block.kind == "sh"]
    read = [parse(line, monkeypatch) for line in typed]
    assert {params["spec"].name for _, params in read} == {"payments.yaml"}
    paths = [path for path, _ in read]
    assert paths.index("paymig approve") < paths.index("paymig switchover") < paths.index("paymig finalize")
    shifts = [params["share"] for path, params in read if path == "paymig shift"]
    assert shifts == ([100] if strategy == "compute-first" else [])
    with pytest.raises(click.UsageError):
        parse("paymig shift payments.yaml --too 10%", monkeypatch)


def test_every_command_of_its_prose_exists():
    said = set(re.findall(r"paymig ([a-z]+(?:-[a-z]+)*)", write()[1]))
    assert {"rollback", "destroy", "approve", "status"} <= said <= set(COMMANDS)


def test_each_step_is_one_that_the_rehearsal_takes(spec):
    names = {"transfer-schema": "replicate", "replicate start": "replicate"}
    taken = {step.take.rstrip("%") for step in whole(spec.migration, Options()).steps}
    for stop in timetable(spec.migration):
        step = f"shift {stop.traffic}" if stop.command == "shift" else names.get(stop.command, stop.command)
        assert step in taken, stop.name


def test_going_back_costs_nothing_before_the_writer_moves(spec):
    stops = timetable(spec.migration)
    moved = next(number for number, stop in enumerate(stops) if stop.writer == "target")
    assert {stop.lost for stop in stops[:moved]} == {"nothing"}
    assert stops[-1].back == "none"


def test_together_moves_all_at_once(spec):
    together = patched(spec, {"cutover": {"strategy": "together", "steps": [{"to": "100%", "bake": "1h"}]}})
    assert "shift" not in {stop.command for stop in timetable(together.migration)}


def test_a_rehearsal_s_times_and_output_are_shown_with_the_right_command(tmp_path):
    typed = [
        {
            "command": "paymig shift other.yaml --to 10 --no-bake",
            "seconds": 0.6,
            "output": "ten | done\n",
            "exit_code": 0,
        },
        {"command": "paymig shift other.yaml --to 50", "seconds": 9.0, "output": "failed\n", "exit_code": 3},
        {"command": "paymig deploy other.yaml", "seconds": 3.2, "output": "line\n" * 40 + "``` end\n", "exit_code": 0},
    ]
    file = tmp_path / "rehearsal.json"
    data = {"began": 1795507200, "verdict": "7 writes acknowledged", "migration": "payments-prod"}
    file.write_text(json.dumps({**data, "phases": [{"commands": typed}]}))
    _, text = write("--rehearsal", file)
    ten = text.split("### 10 % of the traffic")[1].split("###")[0]
    assert "took 0.6 s" in ten
    assert "ten | done" in ten
    assert "| T + 30m | 10 % of the traffic | 1h | 0.6 s |" in text
    assert "did not type it" in text.split("### 50 % of the traffic")[1].split("###")[0]
    deploy = text.split("### Deploy")[1].split("###")[0]
    assert "29 lines before" in deploy
    assert "````\n" in deploy
    assert "7 writes acknowledged" in text


def test_html_needs_nothing_besides(tmp_path):
    page = tmp_path / "runbook.html"
    assert write("-o", page)[0] == 0
    text = page.read_text()
    assert "<svg" in text
    assert text.count('type="checkbox"') >= 10
    assert not re.findall(r"<script|<link|src=|@import", text)


@pytest.mark.parametrize("content", ["[]", "{}", "no json"])
def test_what_is_no_rehearsal_is_refused(tmp_path, content):
    file = tmp_path / "rehearsal.json"
    file.write_text(content)
    code, text = write("--rehearsal", file)
    assert code == 2
    assert "no rehearsal.json" in text


def test_another_ending_is_refused(tmp_path):
    assert write("-o", tmp_path / "runbook.pdf")[0] == 2


@given(st.integers(0, 10**7))
def test_durations_are_written_as_the_spec_reads_them(seconds):
    size = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    assert sum(int(part[:-1]) * size[part[-1]] for part in words(timedelta(seconds=seconds)).split()) == seconds


def test_cells_and_fences_cannot_be_broken():
    assert markdown([Grid(("a",), [("x|y\nz",)])]).splitlines()[-1] == "| x\\|y z |"
    assert markdown([Code("a\n```\nb")]).startswith("````\n")

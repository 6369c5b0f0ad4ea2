"""The commands that show the journal and end a lease, as an operator types them."""

import json

import pytest
from click.testing import CliRunner

from paymig.commands import history, unlock
from paymig.errors import NotConfirmed, Refused
from paymig.journal.opening import open_journal
from runtime_lambdas.runtime.journal.hold import hold
from tests.paymig.operators import another

NAME = "payments-prod"


def run(stage, spec, command, *arguments: str):
    done = CliRunner().invoke(
        command,
        [spec.file, "--endpoint-url", stage.embedded.endpoint_url, *arguments],
        env=stage.embedded.environment() | {"COLUMNS": "240"},
    )
    if done.exception:
        raise done.exception
    return done


def test_history_and_unlock(stage, spec, deploy):
    with pytest.raises(Refused, match="no journal"):
        run(stage, spec, history.command)
    deploy(spec)
    alice = open_journal(another(stage), NAME)
    with hold(alice, "shift", "first customers") as holding:
        with holding.step("move the traffic", before="old 100, new 0"):
            pass
        shown = run(stage, spec, history.command)
        assert "deploy: execute the change set" in shown.stdout
        assert "shift: move the traffic (first customers)" in shown.stdout
        assert "lease: held by arn:aws:iam::" in shown.stdout

        told = json.loads(run(stage, spec, history.command, "--format", "json").stdout)
        assert told["lease"]["verb"] == "shift"
        entries = told["entries"]
        assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
        acts = [(entry["verb"], entry["step"], entry["kind"]) for entry in entries]
        assert acts[:2] == [("deploy", "execute the change set", kind) for kind in ("intent", "done")]
        assert acts[-2:] == [("shift", "move the traffic", kind) for kind in ("intent", "done")]
        assert entries[1]["evidence"] == {"status": "CREATE_COMPLETE"}
        assert entries[-2]["why"] == "first customers"

        with pytest.raises(NotConfirmed):
            run(stage, spec, unlock.command)
        ended = json.loads(run(stage, spec, unlock.command, "--yes", "--why", "gone", "--format", "json").stdout)
        assert ended["ended"]["token"] == holding.lease.token
    assert "nobody holds the lease" in run(stage, spec, unlock.command, "--yes").stdout
    assert "lease: free" in run(stage, spec, history.command).stdout

"""The status of a deployed migration: in text, as JSON, as a page."""

import json
import os
import pty
import select
import sys
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.commands.status import command
from paymig.cutover.way_back import judge
from paymig.deploy import record_of
from paymig.status import Status, look, traffic
from runtime_lambdas.runtime.replication.engine import Broken, Identity, Lag, Progress
from tests.paymig.operators import PATIENCE, shift

_VOID = {"meta", "meter"}


class Back:
    """A direction of replication that tells what it is given."""

    def __init__(self, progress: Progress, lag: Lag | None) -> None:
        self._progress, self._lag = progress, lag

    def verify(self, recorded: Identity) -> None:
        if recorded != RECORDED:
            raise Broken("it is another one")

    def progress(self) -> Progress:
        return self._progress

    def lag(self, limit: float) -> Lag:
        if self._lag is None:
            raise Broken("it lost its way")
        return self._lag


class Balanced(HTMLParser):
    """Collects the open elements and whatever would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href")]


def test_the_status_tells_where_it_stands(stage, spec, deploy, tmp_path):
    before = look(stage.aws, spec.migration)
    assert (before.stack, before.phase, before.healthy) == ("absent", "absent", False)
    deploy(spec)
    shift(stage.aws, spec, 10)
    file = tmp_path / "status.html"

    def run(*arguments: str):
        options = ["--endpoint-url", stage.embedded.endpoint_url, *arguments]
        return CliRunner().invoke(command, [spec.file, *options], env=stage.embedded.environment() | {"COLUMNS": "200"})

    told = json.loads(run("--format", "json", "--html", str(file)).stdout)
    assert (told["phase"], told["writer"], told["live"]) == (
        "shifting",
        {"side": "source", "epoch": 0},
        {"old": 90, "new": 10},
    )
    assert told["wanted"] == "old 90, new 10"
    assert told["rollback"]["lossless"] is True and told["rollback"]["seconds"] == 90
    assert {gate["gate"]: gate["passed"] for gate in told["gates"]}["validation_age"] is False
    assert told["answered"] in (0, 20, 40, 60, 80, 100)
    shown = run().stdout
    assert "old 90, new 10: where the journal's last move ended" in shown and "of 5 questions to AWS" in shown
    assert "shifting; the source is the writer" in shown and "loses nothing" in shown and "replication_lag" in shown

    parsed = Balanced()
    text = file.read_text()
    parsed.feed(text)
    assert not parsed.loads and "script" not in parsed.tags, "nothing is loaded"
    assert "prefers-color-scheme: dark" in text and "10 % to AWS, 90 % to the source" in text
    assert {"main", "caption", "time", "meter"} <= set(parsed.tags)
    assert "Traffic wanted" in text and "Traffic answered" in text and "loses nothing, about 90 s" in text

    record = record_of(spec.migration)
    for share in (0, 100):
        weights.write(stage.aws, record, Weights.to_new(share))
        assert weights.answered(stage.aws, record, 10) == share
    weights.write(stage.aws, record, Weights.to_new(37))
    assert 25 < weights.answered(stage.aws, record, 600) < 49, "six standard deviations"
    assert "somebody moved it by hand" in run().stdout


def test_it_watches_until_ctrl_c(stage, spec, deploy):
    """In a terminal: the screen is drawn anew with what has changed, and Ctrl-C is the end and no failure."""
    deploy(spec)
    shift(stage.aws, spec, 10)
    typed = ["-m", "paymig", "status", "--watch", str(spec.file)]
    with Terminal([sys.executable, *typed], os.environ | stage.embedded.environment()) as terminal:
        terminal.wait_for("source 90 %, AWS 10 %")
        shift(stage.aws, spec, 50)
        terminal.wait_for("source 50 %, AWS 50 %")
        assert terminal.text.count("\x1b[2J") >= 2
        terminal.type("\x03")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.text and "Interrupted" not in terminal.text


class Terminal:
    """A program in a terminal of its own, and what it has written there."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.execve(arguments[0], arguments, {**environment, "TERM": "xterm", "COLUMNS": "120"})
        self.text = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def type(self, keys: str) -> None:
        os.write(self._file, keys.encode())

    def wait_for(self, text: str) -> None:
        while text not in self.text:
            assert self._read(), f"it ended without {text!r}:\n{self.text}"

    def end(self) -> int:
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        """Whether there was more."""
        ready, _, _ = select.select([self._file], [], [], PATIENCE)
        assert ready, f"nothing more in {PATIENCE} s:\n{self.text}"
        try:
            more = os.read(self._file, 65536)
        except OSError:  # Linux says so where the program has ended
            return False
        self.text += more.decode(errors="replace")
        return bool(more)


@pytest.mark.parametrize(
    ("live", "wanted", "answered", "odd"),
    [
        (Weights(0, 100), "old 0, new 100", 100.0, set()),
        (Weights(50, 50), "old 50, new 50", 20.0, set()),
        (Weights(100, 0), "old 100, new 0", 20.0, {"answered"}),
        (Weights(50, 50), "old 100, new 0", 100.0, {"wanted"}),
    ],
)
def test_what_contradicts_the_live_weights_stands_out(live, wanted, answered, odd):
    status = Status("payments-prod", "CREATE_COMPLETE", {}, live, live, 0, (), wanted, answered=answered)
    assert {name for name, _, contradicts in traffic(status) if contradicts} == odd


RECORDED = Identity("logical", "7", "paymig_x_rev", "16400", "0/100")


@pytest.mark.parametrize(
    ("engine", "lossless", "why"),
    [
        (Back(Progress("replicating"), Lag(0.2, True, 0)), True, "follows it, 0.2 s behind"),
        (Back(Progress("replicating"), Lag(5.0, False, 0)), None, "more than 5 s behind"),
        (Back(Progress("failed", problems=("the slot is gone",)), None), False, "the slot is gone"),
        (Back(Progress("paused"), None), False, "it is paused"),
        (Back(Progress("replicating"), None), False, "lost its way"),
    ],
)
def test_the_way_back_is_judged_by_what_arrives(engine, lossless, why):
    found = judge(engine, RECORDED)
    assert found.lossless is lossless and why in found.why


def test_no_other_replication_than_the_one_that_was_proved_is_trusted():
    well = Back(Progress("replicating"), Lag(0.2, True, 0))
    assert judge(well, None).lossless is None
    assert judge(well, replace(RECORDED, reader="16500")).lossless is False

"""What whoever rehearses sees: plain lines, and on a terminal what goes on now."""

import io
import sys

from rich.console import Console as RichConsole

from paymig.console import Console
from paymig.rehearsal.report import Phase
from paymig.rehearsal.view import LiveView, load_lines, view
from tests.paymig.terminal import Terminal, clock

SUMMARY = {
    "requests": 25, "failed": 1, "retried": 2, "old": 15, "new": 10, "p50": 0.004, "p99": 0.25, "waiting": 3,
    "weights": [50, 50], "last_write": 98.5,
}  # fmt: skip


def test_the_load_is_said_in_two_lines():
    traffic, rate = load_lines(SUMMARY)
    assert "[" + "#" * 16 + "." * 24 + "]" in traffic
    assert "40 % seen,  50 % wanted" in traffic
    for word in ("50 requests/s", "p50 4 ms", "p99 250 ms", "1 failed", "2 retried", "3 waiting"):
        assert word in rate


def test_a_load_without_requests_or_weights_is_no_accident():
    assert "0 % seen,  50 % wanted" in load_lines({**SUMMARY, "requests": 0, "new": 0, "weights": [0, 0]})[0]


def console(terminal):
    made = Console()
    made.err = RichConsole(file=io.StringIO(), force_terminal=terminal, width=200, highlight=False)
    return made


def test_elsewhere_than_on_a_terminal_there_are_only_lines():
    plain = console(False)
    with view(plain) as shown:
        assert not isinstance(shown, LiveView)
        shown.remark("The target is [older].")
        shown.start("deploy")
        shown.hear("half way")
        shown.pulse(SUMMARY)
        shown.end(Phase("deploy", 0.0, 1.5, "done"))
    assert plain.err.file.getvalue() == "The target is [older].\nok deploy             1.50 s  done\n"


def test_on_a_terminal_the_phase_that_goes_on_is_shown_with_the_load():
    live = console(True)
    with view(live) as shown:
        assert isinstance(shown, LiveView)
        shown.start("shift 50")
        shown.hear("moving")
        shown.hear("")
        shown.pulse({"ready": True})
        shown.pulse(SUMMARY)
        first, traffic, _, clocks = shown.lines()
        shown.lag(4.4)
        assert "s since the last write   replication lag 4 ms, 0." in shown.lines()[-1]
        shown.lag(None)
        assert "replication lag more than 5 s, 0." in shown.lines()[-1]
        shown.end(Phase("shift 50", 0.0, 1.5, "done"))
    assert "shift 50" in first
    assert "moving" in first
    assert "% wanted" in traffic
    assert "s since the last write" in clocks
    assert "done" in live.err.file.getvalue()


SILENT = f"""
import time
from paymig.console import Console
from paymig.rehearsal.view import view

with view(Console()) as shown:
    shown.start("switchover")
    shown.pulse({{**{SUMMARY}, "last_write": time.time()}})
    shown.lag(3.0)
    input()
"""


def test_on_a_real_terminal_the_clocks_tick_while_nothing_is_heard():
    since, ago, phase = (
        clock(r"([0-9.]+) s since the last write"),
        clock(r"([0-9.]+) s ago"),
        clock(r"switchover +([0-9.]+) s"),
    )
    with Terminal([sys.executable, "-c", SILENT]) as terminal:
        terminal.read_until(lambda text: all(len(each(text)) >= 8 for each in (since, ago, phase)))
        for each in (since, ago, phase):
            assert each(terminal.text) == sorted(each(terminal.text))
        terminal.type("\n")
        assert terminal.end() == 0

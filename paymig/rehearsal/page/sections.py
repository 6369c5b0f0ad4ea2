"""The sections of the report's page that are tables: each an HTML fragment, empty where there is nothing to tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from paymig.rehearsal.report import Report


def notes(report: Report) -> str:
    """Tell what was not as it will be."""
    items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f"<section><h2>What was not as it will be</h2><ul>{items}</ul></section>" if items else ""


def moves(report: Report) -> str:
    """Tell each move of the writer: its pause, the writes in it, its steps, and the comparison at the fence."""
    parts = []
    for move in report.moves:
        outcome = "given up" if move.committed is None else f"the {move.to} is the writer"
        rows = [
            ["Began to refuse writes, s", f"{move.fenced - report.began:.2f}"],
            ["The new writer was named, s", "-" if move.committed is None else f"{move.committed - report.began:.2f}"],
            ["Writes were taken again, s", f"{move.opened - report.began:.2f}"],
            ["Pause, as whoever moved it measured it", _milliseconds(move.server)],
            ["Pause, as clients saw it: no write acknowledged", _milliseconds(move.clients.seconds)],
            ["Writes under way that succeeded at the first attempt", f"{move.held:,}"],
            ["after a retry under the same key", f"{move.retried:,}"],
            ["failed", f"{move.failed:,}"],
            *([f"Step: {step}", _milliseconds(seconds)] for step, seconds in move.steps.items()),
            *(
                [f"Compared at the fence: {what}", str(found)]
                for what, found in move.comparison.items()
                if what != "seconds"
            ),
        ]
        name = f"{move.verb.capitalize()}: {outcome}"
        why = f"<p>Given up because: {escape(move.error)}</p>" if move.error else ""
        parts.append(f"<h3>{escape(name)}</h3>{why}{_table(name, ('What', 'Value'), rows, (1,))}")
    if not parts:
        return ""
    who = ", ".join(f"the {side} from {start:.1f} s to {end:.1f} s" for start, end, side in report.writers)
    return f"<section><h2>Who took the writes</h2><p>{escape(who.capitalize())}.</p>{''.join(parts)}</section>"


def _milliseconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds * 1000:.0f} ms"


def phases(report: Report) -> str:
    """Tell each phase, and what the operator typed in it."""
    rows = [[phase.name, f"{phase.start:.1f}", f"{phase.seconds:.1f}", phase.result] for phase in report.phases]
    commands = "".join(
        f"<details><summary><code>{escape(typed.command)}</code> <small>{typed.seconds:.1f} s, exit code "
        f'{typed.exit_code}</small></summary><pre tabindex="0">{escape(typed.output)}</pre></details>'
        for phase in report.phases
        for typed in phase.commands
    )
    heads = ("Phase", "Began, s", "Took, s", "What came of it")
    return (
        f"<section><h2>Phases</h2>{_table('Phases', heads, rows, (1, 2))}</section>"
        f"<section><h2>What the operator typed</h2>{commands or '<p>Nothing.</p>'}</section>"
    )


def latency(report: Report) -> str:
    """Tell the percentiles of each phase."""
    rows = [
        [name, f"{found.p50:.1f}", f"{found.p95:.1f}", f"{found.p99:.1f}", f"{found.maximum:.1f}"]
        for name, found in report.latency_by_phase.items()
        if found.maximum
    ]
    heads = ("Phase", "Median", "95th", "99th", "Longest")
    return (
        "<section><h2>Latency</h2><p>Milliseconds from the planned time of a request to its last answer, retries "
        "included; each counts where it was answered.</p>"
        f"{_table('Latency by phase', heads, rows, (1, 2, 3, 4))}</section>"
    )


def proof(report: Report) -> str:
    """Tell what was promised and what was found, and how requests ended."""
    proof = report.proof
    if proof is None:
        return ""
    counts = proof.counts
    rows = [
        ["Acknowledged writes", f"{proof.promised:,}"],
        [f"Found once in the {proof.writer}, as acknowledged", f"{proof.found:,}"],
        ["Requests", f"{counts.requests:,}"],
        *([f"of which: {kind}", f"{number:,}"] for kind, number in counts.by_kind.items()),
        *([f"last answered by the {side} API", f"{number:,}"] for side, number in counts.by_side.items()),
        ["Lost, as the operator accepted", f"{proof.lost:,}"],
        ["Failed", f"{counts.failed:,}"],
        ["Writes without any answer, which may stand in the writer once or not", f"{counts.uncertain:,}"],
        ["Succeeded after a retry under the same idempotency key", f"{counts.retried:,}"],
        ["Held over the longest pause", f"{counts.held:,}"],
        ["Longest time without an acknowledged write", f"{proof.pause.seconds * 1000:.0f} ms"],
    ]
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in proof.problems)
    broken = f'<ul class="problems">{problems}</ul>' if problems else "<p>No promise was broken.</p>"
    return f"<section><h2>Proof</h2>{broken}{_table('Proof', ('What', 'How many'), rows, (1,))}</section>"


def errors(report: Report) -> str:
    """Tell what attempts met that did not succeed."""
    if report.proof is None:
        return ""
    rows = []
    for error, number in report.errors.items():
        side, _, status = error.partition(" ")
        rows.append([f"The {side} API", "no answer" if status == "0" else status, f"{number:,}"])
    told = (
        "Attempts that did not succeed; each was repeated under the same idempotency key for as long as it made sense."
    )
    return (
        "<section><h2>Errors</h2>"
        + (f"<p>{told}</p>{_table('Errors', ('Asked', 'Answered', 'Attempts'), rows, (2,))}" if rows else _NO_ERROR)
        + "</section>"
    )


_NO_ERROR = "<p>Every request succeeded at the first attempt.</p>"


def comparison(report: Report) -> str:
    """Tell the last comparison: each table, each invariant, and all of the report to unfold."""
    found = report.comparison
    if found is None:
        return ""
    tables = [
        [one["table"], *(f"{one[count]:,}" for count in _COUNTS), one["verdict"]]
        for one in sorted(found["tables"], key=lambda one: str(one["table"]))
    ]
    invariants = [[one["name"], f"{len(one['source'] or ()):,}", one["verdict"]] for one in found["invariants"]]
    heads = ("Table", "Rows, source", "Rows, target", "Missing", "Extra", "Different", "Verdict")
    text = escape(json.dumps(found, indent=2, default=str))
    when = escape(str(found["started"])[:19].replace("T", " "))
    return (
        f"<section><h2>Comparison of both databases</h2><p>The last one, row by row, at {when} UTC: "
        f"<strong>{escape(str(found['verdict']))}</strong>.</p>"
        f"{_table('Tables', heads, tables, (1, 2, 3, 4, 5))}"
        f"{_table('Invariants', ('Invariant', 'Rows of its result', 'Verdict'), invariants, (1,))}"
        "<details><summary>The whole report of paymig compare</summary>"
        f'<pre tabindex="0">{text}</pre></details></section>'
    )


_COUNTS = ("rows_source", "rows_target", "missing", "extra", "different")


def journal(report: Report) -> str:
    """Tell the journal, entry by entry."""
    rows = [
        [
            str(entry["sequence"]),
            str(entry["time"])[:23].replace("T", " "),
            str(entry.get("who", "")).rpartition(":")[2],
            str(entry["verb"]),
            str(entry["step"]),
            str(entry["kind"]),
            _words(entry.get("evidence") or {}),
        ]
        for entry in report.journal
    ]
    heads = ("No.", "Time, UTC", "Who", "Command", "Step", "Kind", "Evidence")
    return f"<section><h2>Journal</h2>{_table('Journal', heads, rows, (0, 1))}</section>"


def _words(evidence: object) -> str:
    match evidence:
        case Mapping():
            return ", ".join(f"{key}: {_words(value)}" for key, value in evidence.items())
        case list():
            return ", ".join(_words(one) for one in evidence if one != "")
        case _:
            return str(evidence)


def stage(report: Report) -> str:
    """Tell where it was played, and what that does not prove."""
    rows = [[key, str(value)] for key, value in {**report.stage, **report.options}.items()]
    return (
        f"<section><h2>Where it was played</h2>{_table('Stage', ('What', 'Value'), rows)}"
        "<p>A rehearsal proves the spec, the templates, the code, the order of the steps and what becomes of each "
        "payment. It proves nothing about real DMS, Aurora, the propagation of DNS, or the speed of your machines."
        "</p></section>"
    )


def _table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    head = "".join(f'<th scope="col"{_right(number, numbers)}>{escape(text)}</th>' for number, text in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_right(number, numbers)}>{escape(cell)}</td>" for number, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    pairs = ' class="pairs"' if len(heads) == 2 else ""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}, scrolls sideways">'
        f"<table{pairs}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _right(number: int, numbers: Sequence[int]) -> str:
    return ' class="n"' if number in numbers else ""

"""The report as one HTML page: no script, no file besides, for light and dark screens, paper and phones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from paymig.rehearsal.page.chart import timeline
from paymig.rehearsal.report import Report

_STYLE = files("paymig.rehearsal.page") / "style.css"


def page(report: Report) -> str:
    """Write the page."""
    when = datetime.fromtimestamp(report.began, UTC).strftime("%d %B %Y, %H:%M UTC")
    kept = "kept" if report.kept else "broken"
    title = f"Rehearsal of {report.migration}"
    body = [
        '<a class="skip" href="#verdict">To the verdict</a>',
        f"<header><h1>{escape(title)}</h1>"
        f"<p>{escape(report.scenario[1])}. {escape(when)}, {report.seconds:.0f} s.</p></header>",
        f'<main><section id="verdict" class="verdict {kept}" aria-label="Verdict"><strong>'
        f"{'Proved' if report.kept else 'Not proved'}</strong><p>{escape(report.verdict)}</p></section>",
        _tiles(report),
        '<section><h2>What happened, and when</h2><div class="wide" tabindex="0" role="region" '
        f'aria-label="Timeline, scrolls sideways">{timeline(report)}</div></section>',
        _phases(report),
        _moves(report),
        _latency(report),
        _proof(report),
        _comparison(report),
        _journal(report),
        _stage(report),
        "</main>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text()}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _tiles(report: Report) -> str:
    if report.proof is None:
        return ""
    proof = report.proof
    tiles = [
        (f"{proof.found:,}", f"of {proof.promised:,} acknowledged writes found once in the {proof.writer}"),
        (f"{proof.counts.failed:,}", f"of {proof.counts.requests:,} requests failed"),
        (f"{proof.counts.retried:,}", "succeeded after a retry"),
        (f"{proof.counts.held:,}", "writes held over the pause"),
        _pause(report),
        (f"{proof.latency.p50:.0f} / {proof.latency.p99:.0f} ms", "latency, median and 99th percentile"),
    ]
    items = "".join(f"<li><b>{escape(figure)}</b> {escape(what)}</li>" for figure, what in tiles)
    return f'<ul class="tiles">{items}</ul>'


def _pause(report: Report) -> tuple[str, str]:
    moved = [move for move in report.moves if move.committed is not None]
    if moved:
        longest = max(move.clients.seconds for move in moved)
        return f"{longest * 1000:.0f} ms", "without an acknowledged write while the writer moved, as clients saw it"
    seconds = report.proof.pause.seconds if report.proof else 0.0
    return f"{seconds * 1000:.0f} ms", "longest time without an acknowledged write"


def _moves(report: Report) -> str:
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
            *([["Given up because", move.error]] if move.error else []),
        ]
        name = f"{move.verb.capitalize()}: {outcome}"
        parts.append(f"<h3>{escape(name)}</h3>{_table(name, ('What', 'Value'), rows, (1,))}")
    if not parts:
        return ""
    who = ", ".join(f"the {side} from {start:.1f} s to {end:.1f} s" for start, end, side in report.writers)
    return f"<section><h2>Who took the writes</h2><p>{escape(who.capitalize())}.</p>{''.join(parts)}</section>"


def _milliseconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds * 1000:.0f} ms"


def _phases(report: Report) -> str:
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


def _latency(report: Report) -> str:
    rows = [
        [name, f"{found.p50:.1f}", f"{found.p95:.1f}", f"{found.p99:.1f}", f"{found.maximum:.1f}"]
        for name, found in report.latency_by_phase.items()
        if found.maximum
    ]
    heads = ("Phase", "Median", "95th", "99th", "Longest")
    return (
        "<section><h2>Latency</h2><p>Milliseconds from the planned time of a request to its last answer, retries "
        f"included.</p>{_table('Latency by phase', heads, rows, (1, 2, 3, 4))}</section>"
    )


def _proof(report: Report) -> str:
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


def _comparison(report: Report) -> str:
    if report.comparison is None:
        return ""
    text = escape(json.dumps(report.comparison, indent=2, default=str))
    return (
        "<section><h2>Comparison of both databases</h2><details><summary>The last report of paymig compare</summary>"
        f'<pre tabindex="0">{text}</pre></details></section>'
    )


def _journal(report: Report) -> str:
    rows = [
        [
            str(entry["sequence"]),
            str(entry["time"]),
            str(entry["verb"]),
            str(entry["step"]),
            str(entry["kind"]),
            _words(entry.get("evidence") or {}),
        ]
        for entry in report.journal
    ]
    heads = ("No.", "Time", "Command", "Step", "Kind", "Evidence")
    return f"<section><h2>Journal</h2>{_table('Journal', heads, rows)}</section>"


def _words(evidence: Mapping[str, object]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in evidence.items())


def _stage(report: Report) -> str:
    rows = [[key, str(value)] for key, value in {**report.stage, **report.options}.items()]
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        f"<section><h2>Where it was played</h2>{_table('Stage', ('What', 'Value'), rows)}"
        + (f"<ul>{notes}</ul>" if notes else "")
        + "<p>A rehearsal proves the spec, the templates, the code, the order of the steps and what becomes of each "
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
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}, scrolls sideways">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _right(number: int, numbers: Sequence[int]) -> str:
    return ' class="n"' if number in numbers else ""

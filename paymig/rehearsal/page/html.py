"""The report as one HTML page: no script, no file besides, for light and dark screens, paper and phones."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from paymig.rehearsal.page import sections
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
        sections.notes(report),
        sections.phases(report),
        sections.moves(report),
        sections.latency(report),
        sections.proof(report),
        sections.errors(report),
        sections.comparison(report),
        sections.journal(report),
        sections.stage(report),
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

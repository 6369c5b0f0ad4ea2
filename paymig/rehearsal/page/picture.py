"""The report as a picture for a chat: the verdict, six figures, and the traffic over time."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import wrap

from paymig.rehearsal.page.axes import Axis, steps
from paymig.rehearsal.page.raster import Raster, text_width
from paymig.rehearsal.report import Report

_WIDTH, _HEIGHT, _MARGIN = 1200, 630, 40
_PAPER, _INK, _SOFT, _GOOD, _BAD, _SEEN, _WANTED, _CARD = range(8)
_PALETTE = (
    (255, 255, 255), (27, 36, 48), (86, 97, 115), (20, 105, 58), (161, 22, 34), (143, 178, 232), (180, 86, 10),
    (243, 245, 248),
)  # fmt: skip


def picture(report: Report) -> bytes:
    """Draw it; the result is a PNG file of 1200 by 630 dots."""
    drawn = Raster(_WIDTH, _HEIGHT, _PALETTE)
    colour = _GOOD if report.kept else _BAD
    when = datetime.fromtimestamp(report.began, UTC).strftime("%Y-%m-%d %H:%M UTC")
    drawn.rectangle(0, 0, _WIDTH, 12, colour)
    drawn.text(_MARGIN, 36, f"Rehearsal of {report.migration}", _INK, 4)
    drawn.text(_WIDTH - _MARGIN - text_width(when), 44, when, _SOFT)
    y = 88
    for line in wrap(report.verdict, 92)[:3]:
        drawn.text(_MARGIN, y, line, colour)
        y += 22
    _figures(drawn, report, 166)
    _traffic(drawn, report, 330)
    return drawn.to_png()


def _figures(drawn: Raster, report: Report, y: float) -> None:
    if report.proof is None:
        return
    proof = report.proof
    figures = [
        (f"{proof.found}/{proof.promised}", "writes found"),
        (str(proof.counts.failed), "failed"),
        (str(proof.counts.retried), "retried"),
        (str(proof.counts.held), "held"),
        _pause(report),
        (f"{proof.latency.p50:.0f}/{proof.latency.p99:.0f} ms", "median/p99"),
    ]
    width = (_WIDTH - 2 * _MARGIN) / len(figures)
    for number, (figure, what) in enumerate(figures):
        x = _MARGIN + number * width
        drawn.rectangle(x, y, width - 12, 104, _CARD)
        size = 4 if text_width(figure, 4) < width - 36 else 3 if text_width(figure, 3) < width - 36 else 2
        drawn.text(x + 12, y + 22, figure, _INK, size)
        drawn.text(x + 12, y + 72, what, _SOFT)


def _pause(report: Report) -> tuple[str, str]:
    moved = [move.clients.seconds for move in report.moves if move.committed is not None]
    seconds = max(moved, default=report.proof.pause.seconds if report.proof else 0.0)
    return f"{seconds * 1000:.0f} ms", "write pause" if moved else "longest pause"


def _traffic(drawn: Raster, report: Report, y: float) -> None:
    left, right, bottom = _MARGIN + 60, _WIDTH - _MARGIN, _HEIGHT - 52
    x = Axis(0, max(report.seconds, 1.0), left, right)
    share = Axis(0, 100, bottom, y + 30)
    drawn.text(_MARGIN, y, "Percent of the traffic on AWS:", _INK)
    end = drawn.text(_MARGIN + text_width("Percent of the traffic on AWS: "), y, "wanted", _WANTED)
    drawn.text(end + 14, y, "seen by clients", _SEEN)
    for second in report.seconds_of_load:
        if second.requests:
            at = x.place(report.load_start + second.at)
            width = x.place(report.load_start + second.at + 1) - at
            top = share.place(100 * second.new / second.requests)
            drawn.rectangle(at, top, max(width, 1), bottom - top, _SEEN)
    wanted = steps([(sample.at, sample.weight) for sample in report.samples])
    drawn.line([(x.place(at), share.place(weight)) for at, weight in wanted], _WANTED)
    drawn.rectangle(left, bottom, right - left, 2, _SOFT)
    for move in report.moves:
        at = x.place(move.fenced - report.began)
        drawn.rectangle(at, y + 30, 2, bottom - y - 30, _BAD if move.committed is None else _GOOD)
        words = "given up" if move.committed is None else f"writer: {move.to}"
        drawn.text(min(at + 8, right - text_width(words)), y + 36, words, _GOOD if move.committed else _BAD)
    for tick in (0, 50, 100):
        words = f"{tick}"
        drawn.text(left - 12 - text_width(words), share.place(tick) - 7, words, _SOFT)
    for part in range(5):
        at = report.seconds * part / 4
        words = f"{at:.0f} s"
        place = x.place(at) - (0 if part == 0 else text_width(words) if part == 4 else text_width(words) / 2)
        drawn.text(place, bottom + 14, words, _SOFT)

"""The timeline as inline SVG: phases, traffic wanted and seen, latency, requests; colours come from the page's CSS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from paymig.rehearsal.measure import Second
from paymig.rehearsal.page.axes import Axis, steps, ticks
from paymig.rehearsal.report import Report

WIDTH = 1000
_LEFT, _RIGHT = 58, 12
_BAND, _STRIP, _PLOT, _GAP = 30, 16, 120, 34
_WORD = 7.0
"""The width of a letter of the labels, at most."""


def timeline(report: Report) -> str:
    """Draw it; every panel shares the axis of time, in seconds since the rehearsal began."""
    x = Axis(0, max(report.seconds, 1.0), _LEFT, WIDTH - _RIGHT)
    parts: list[str] = []
    y = _writers(parts, report, x, _phases(parts, report, x))
    seconds = [(report.load_start + second.at, second) for second in report.seconds_of_load]
    panels = [
        ("Traffic on AWS, percent", 100.0, _traffic(report, seconds)),
        ("Latency, milliseconds", max([1.0, *(s.p99 for _, s in seconds)]), _latency(seconds)),
        ("Requests a second", max([1.0, *(float(s.requests) for _, s in seconds)]), _requests(seconds)),
    ]
    if lag := [(at, behind) for at, behind in report.lag if behind is not None]:
        panels.append(
            ("Replication lag, milliseconds", max([1.0, *(ms for _, ms in lag)]), [("lag", "heartbeat", lag)])
        )
    top = y
    for title, high, lines in panels:
        y = _panel(parts, x, y, title, high, lines)
    _pauses(parts, report, x, top, y - _GAP + 8)
    parts += [
        f'<text class="tick" x="{x.place(tick):.1f}" y="{y - 4:.0f}" text-anchor="middle">{tick:g} s</text>'
        for tick in ticks(x.high, 12)
    ]
    head = (
        f'<svg viewBox="0 0 {WIDTH} {y + 6:.0f}" role="img" aria-labelledby="t d" xmlns="http://www.w3.org/2000/svg">'
        '<title id="t">Timeline of the rehearsal</title>'
        f'<desc id="d">{escape(_spoken(report))}</desc>'
    )
    return head + "".join(parts) + "</svg>"


Lines = Sequence[tuple[str, str, Sequence[tuple[float, float]]]]
"""Class, what it shows, points; a class that ends in -area is filled down to the axis."""


def _spoken(report: Report) -> str:
    phases = ", ".join(f"{phase.name} at {phase.start:.0f} s" for phase in report.phases)
    writers = ", ".join(f"the {side} from {start:.0f} s" for start, _, side in report.writers)
    return f"Phases: {phases}. Writer: {writers}. The tables below give the figures."


def _phases(parts: list[str], report: Report, x: Axis) -> float:
    """Draw the band of phases; a label that does not fit stands in the phase's title only."""
    for number, phase in enumerate(report.phases):
        start, end = x.place(phase.start), x.place(phase.start + phase.seconds)
        width = max(end - start, 0.8)
        label = phase.name if len(phase.name) * _WORD < width else ""
        parts.append(
            f'<g class="phase"><title>{escape(phase.name)}: {phase.seconds:.1f} s. {escape(phase.result)}</title>'
            f'<rect class="phase{number % 2}" x="{start:.1f}" y="0" width="{width:.1f}" height="{_BAND}"/>'
            + (
                f'<text x="{(start + end) / 2:.1f}" y="{_BAND / 2 + 4:.0f}" text-anchor="middle">{escape(label)}</text>'
                if label
                else ""
            )
            + "</g>"
        )
    return _BAND


def _writers(parts: list[str], report: Report, x: Axis, top: float) -> float:
    """Draw below the phases who took the writes."""
    for start, end, side in report.writers:
        left, right = x.place(start), x.place(end)
        parts.append(
            f'<g class="writer"><title>The {side} takes the writes from {start:.1f} s to {end:.1f} s</title>'
            f'<rect class="writer-{side}" x="{left:.1f}" y="{top + 3:.0f}" width="{right - left:.1f}" '
            f'height="{_STRIP}"/>'
            f'<text x="{left + 6:.1f}" y="{top + _STRIP - 1:.0f}">writer: {side}</text></g>'
        )
    return top + 3 + _STRIP + _GAP


def _panel(parts: list[str], x: Axis, top: float, title: str, high: float, lines: Lines) -> float:
    y = Axis(0, high * 1.05, top + _PLOT, top)
    parts.append(f'<text class="title" x="{_LEFT}" y="{top - 9:.0f}">{escape(title)}</text>')
    at = _LEFT + len(title) * _WORD + 24
    for kind, name, _ in lines:
        if name:
            parts.append(f'<rect class="key {kind}" x="{at:.0f}" y="{top - 18:.0f}" width="14" height="8"/>')
            parts.append(f'<text class="tick" x="{at + 19:.0f}" y="{top - 9:.0f}">{escape(name)}</text>')
            at += len(name) * _WORD + 44
    for tick in ticks(high, 4):
        place = y.place(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{place + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.extend(_line(kind, points, x, y) for kind, _, points in lines if points)
    return top + _PLOT + _GAP


def _line(kind: str, points: Iterable[tuple[float, float]], x: Axis, y: Axis) -> str:
    placed = [(x.place(a), y.place(b)) for a, b in points]
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
    if kind.endswith("-area"):
        (first, _), (last, _), floor = placed[0], placed[-1], y.place(0)
        return f'<polygon class="{kind}" points="{first:.1f},{floor:.1f} {joined} {last:.1f},{floor:.1f}"/>'
    return f'<polyline class="{kind}" points="{joined}"/>'


def _traffic(report: Report, seconds: Sequence[tuple[float, Second]]) -> Lines:
    seen = [(at + 0.5, 100 * second.new / second.requests) for at, second in seconds if second.requests]
    wanted = steps([(sample.at, sample.weight) for sample in report.samples])
    return [("seen-area", "seen by clients", seen), ("wanted", "wanted by the record", wanted)]


def _latency(seconds: Sequence[tuple[float, Second]]) -> Lines:
    answered = [(at + 0.5, second) for at, second in seconds if second.requests > second.failed]
    return [
        ("p99", "99th percentile", [(at, second.p99) for at, second in answered]),
        ("p50", "median", [(at, second.p50) for at, second in answered]),
    ]


def _requests(seconds: Sequence[tuple[float, Second]]) -> Lines:
    return [
        ("rate-area", "answered", [(at + 0.5, float(second.requests)) for at, second in seconds]),
        ("failed", "failed", [(at + 0.5, float(second.failed)) for at, second in seconds]),
    ]


def _pauses(parts: list[str], report: Report, x: Axis, top: float, bottom: float) -> None:
    """Shade each move's pause, and the longest one besides where it is more than the time between two payments."""
    shaded = [(move.clients, f"{move.verb}, no write acknowledged") for move in report.moves]
    if report.proof is not None and report.proof.pause.seconds >= _WORTH_A_SHADE:
        shaded.append((report.proof.pause, "Longest write pause"))
    for pause, what in shaded:
        start, end = x.place(pause.start - report.began), x.place(pause.end - report.began)
        parts.append(
            f'<rect class="pause" x="{start:.1f}" y="{top:.0f}" width="{max(end - start, 1.5):.1f}" '
            f'height="{bottom - top:.0f}"><title>{what}: {pause.seconds * 1000:.0f} ms</title></rect>'
        )


_WORTH_A_SHADE = 0.25

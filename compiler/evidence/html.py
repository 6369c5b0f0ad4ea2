"""The evidence report as one HTML file: no script, nothing loaded, readable on a dark screen and on paper."""

from collections.abc import Iterator, Sequence
from html import escape

from compiler.evidence.assess import Finding, Verdict
from compiler.evidence.checks import Seen
from compiler.evidence.inventories import Inventory
from compiler.evidence.markdown import MOST
from compiler.evidence.report import NOTE, STANDARD, Report

_MARKS = {Verdict.SHOWN: ("✓", "shown"), Verdict.LEFT: ("○", "left"), Verdict.NOT_SHOWN: ("✗", "unshown")}

_STYLE = """
:root { color-scheme: light dark; --text: light-dark(#1c2024, #e8eaed); --dim: light-dark(#5f6b76, #9aa5b1);
  --line: light-dark(#d8dee4, #39424c); --back: light-dark(#ffffff, #16191d); --head: light-dark(#f4f6f8, #20252b);
  --shown: light-dark(#1a7f37, #4ac26b); --left: light-dark(#6b5900, #d4b72c); --unshown: light-dark(#c1121f, #ff7b72) }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 78rem; margin: 0 auto; padding: 2rem 1.25rem }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
p { margin: .5rem 0; max-width: 60rem } .dim { color: var(--dim) } code { font: .85em ui-monospace, monospace }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere }
th { background: var(--head); font-weight: 600 } td.number { white-space: nowrap; font-weight: 600 }
ul { margin: .2rem 0 .4rem; padding-left: 1.1rem } .verdict { font-weight: 600; white-space: nowrap }
.shown { color: var(--shown) } .left { color: var(--left) } .unshown { color: var(--unshown) }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; list-style: none }
nav a { color: inherit; margin-right: 1rem }
@media print { :root { color-scheme: light } body { max-width: none; padding: 0; font-size: 9.5pt }
  nav { display: none } h2 { break-after: avoid } tr { break-inside: avoid }
  thead { display: table-header-group } .wide { overflow: visible } }
"""


def html(made: Report) -> str:
    """Write a report as a whole HTML document."""
    return "".join(f"{line}\n" for line in _lines(made))


def _lines(made: Report) -> Iterator[str]:
    title = f"{STANDARD}: what the templates of {made.migration} show"
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield f'<head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head>"
    yield f"<body><h1>{escape(title)}</h1>"
    yield f'<p class="dim">Spec <code>{escape(made.spec)}</code>, region {escape(made.region)}, templates SHA-256 '
    yield f"<code>{made.digest}</code></p><p>{escape(NOTE)}</p>"
    yield '<ul class="counts">'
    for verdict in Verdict:
        yield f"<li>{_verdict(verdict)}: {made.count(verdict)}</li>"
    yield '</ul><nav><a href="#requirements">Requirements</a>'
    for inventory in made.inventories:
        yield f'<a href="#{_anchor(inventory)}">{escape(inventory.title)}</a>'
    yield '</nav><h2 id="requirements">Requirements</h2>'
    yield from _table(("Requirement", "What", "Verdict", "Evidence"), [_row(made, one) for one in made.findings])
    for inventory in made.inventories:
        yield f'<h2 id="{_anchor(inventory)}">{escape(inventory.title)}</h2>'
        yield f'<p class="dim">For {escape(inventory.purpose)}</p>'
        yield from _table(inventory.columns, [[f"<td>{escape(cell)}</td>" for cell in row] for row in inventory.rows])
    yield "</body></html>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Draw a table of cells that are marked up already."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    yield f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>"
    yield "</tbody></table></div>"


def _row(made: Report, finding: Finding) -> list[str]:
    evidence = _seen(made, finding.failed, "unshown") + _seen(made, finding.shown, "")
    if finding.missing:
        checks = "".join(f"<li>{escape(str(check))}</li>" for check in finding.missing)
        evidence += f'<span class="dim">Nothing in the templates answers:</span><ul>{checks}</ul>'
    if finding.requirement.process:
        evidence += f"<p>{escape(finding.requirement.process)}</p>"
    return [
        f'<td class="number">{"<br>".join(finding.requirement.numbers)}</td>',
        f"<td>{escape(finding.requirement.what)}</td>",
        f"<td>{_verdict(finding.verdict)}</td>",
        f"<td>{evidence}</td>",
    ]


def _seen(made: Report, seen: Sequence[Seen], style: str) -> str:
    if not seen:
        return ""
    items = [
        f"<li><code>{escape(one.place)}</code> {escape(one.path)}: <code>{escape(one.value)}</code> "
        f'<span class="dim">{escape(made.line(one.place))}</span></li>'
        for one in seen[:MOST]
    ]
    if len(seen) > MOST:
        items.append(f'<li class="dim">and {len(seen) - MOST} more</li>')
    return f'<ul class="{style}">{"".join(items)}</ul>' if style else f"<ul>{''.join(items)}</ul>"


def _verdict(verdict: Verdict) -> str:
    mark, style = _MARKS[verdict]
    return f'<span class="verdict {style}">{mark} {escape(verdict)}</span>'


def _anchor(inventory: Inventory) -> str:
    return inventory.title.lower().replace(" ", "-")

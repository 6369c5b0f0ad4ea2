"""The evidence report as Markdown."""

from collections.abc import Iterator, Sequence

from compiler.evidence.assess import Finding, Verdict
from compiler.evidence.checks import Seen
from compiler.evidence.report import NOTE, STANDARD, Report

MOST = 12
"""So many properties are shown of one requirement; the JSON has all of them."""


def markdown(made: Report) -> str:
    """Write a report as Markdown, with a final newline."""
    return "\n".join(_lines(made)) + "\n"


def _lines(made: Report) -> Iterator[str]:
    yield f"# {STANDARD}: what the templates of {made.migration} show"
    yield ""
    yield f"Spec `{made.spec}`, region {made.region}, templates SHA-256 `{made.digest}`."
    yield ""
    yield NOTE
    yield ""
    yield from _table(("Verdict", "Requirements"), [(verdict, str(made.count(verdict))) for verdict in Verdict])
    yield ""
    yield "## Requirements"
    for finding in made.findings:
        yield ""
        yield f"### {finding.requirement.number}: {finding.requirement.what}"
        yield ""
        yield from _finding(made, finding)
    for inventory in made.inventories:
        yield ""
        yield f"## {inventory.title}"
        yield ""
        yield f"For {inventory.purpose}."
        yield ""
        yield from _table(inventory.columns, inventory.rows)


def _finding(made: Report, finding: Finding) -> Iterator[str]:
    yield f"**{finding.verdict.capitalize()}.** {finding.requirement.process}".rstrip()
    for title, seen in (("Speaks against it", finding.failed), ("Shown by", finding.shown)):
        if seen:
            yield ""
            yield f"{title}:"
            yield ""
            yield from _seen(made, seen)
    if finding.missing:
        yield ""
        yield "Nothing in the templates answers:"
        yield ""
        for check in finding.missing:
            yield f"- {_escaped(str(check))}"


def _seen(made: Report, seen: Sequence[Seen]) -> Iterator[str]:
    for one in seen[:MOST]:
        yield f"- `{one.place}` {_escaped(one.path)}: {_escaped(one.value)} ({made.line(one.place)})"
    if len(seen) > MOST:
        yield f"- and {len(seen) - MOST} more"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_escaped(cell) for cell in row)} |"


def _escaped(text: str) -> str:
    """Take from a value what Markdown would read as its own."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#$" else character for character in text)

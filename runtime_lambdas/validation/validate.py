"""One run of the validation, inside AWS or on an operator's machine: what to compare, and what to remember of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from runtime_lambdas.runtime.catalogue_diff import diff_catalogues
from runtime_lambdas.runtime.comparison import (
    CutOutdated,
    Invariant,
    Kept,
    KeptElsewhere,
    Options,
    Patterns,
    Report,
    compare,
)
from runtime_lambdas.runtime.comparison.options import Watch
from runtime_lambdas.runtime.comparison.place import Place
from runtime_lambdas.runtime.comparison.session import Open


def validate(
    source: Open,
    target: Open,
    tables: Patterns,
    invariants: Sequence[Invariant],
    place: Place,
    options: Options,
    *,
    full: bool,
    watch: Watch | None = None,
    kept: Kept | None = None,
) -> Iterator[Report]:
    """Compare what is due, and yield each report as soon as there is one.

    What changed is compared where that is asked for and a comparison before has found both sides equal. Everything is
    compared where that is asked for, where it is the first time, and where it was begun and not finished: then it goes
    on. A comparison that finds both sides equal is remembered, and changes are counted from it. The two schemas are
    compared with each comparison that comes to its end.

    Args:
        source: Opens a connection to the source.
        target: The same for the target.
        tables: Which tables.
        invariants: The spec's.
        place: What is remembered.
        options: As of `compare`; `seconds` is for all of it.
        full: Compare everything, not only what changed.
        watch: Is told how far it is.
        kept: Where to keep how far a full comparison is, instead of `place`.
    """
    memory: Kept = kept or place
    cut = None if full else place.cut()
    if cut is not None:
        try:
            report = compare(source, target, tables, options, invariants=invariants, since=cut, watch=watch)
        except CutOutdated:
            cut = None
        else:
            if report.verdict == "equal":
                place.note(report)
            yield _with_schema(report, source, target)
            if options.seconds is not None:
                options = replace(options, seconds=max(0.0, options.seconds - report.seconds))
    if cut is not None and memory.load() is None:
        return
    try:
        report = compare(source, target, tables, options, invariants=invariants, kept=memory, watch=watch)
    except KeptElsewhere:
        if kept is not None:
            raise  # the operator named it
        place.clear()
        report = compare(source, target, tables, options, invariants=invariants, kept=memory, watch=watch)
    if report.verdict == "equal":
        place.note(report)
    yield _with_schema(report, source, target)


def _with_schema(report: Report, source: Open, target: Open) -> Report:
    if not report.ended:
        return report
    with closing(source()) as ours, closing(target()) as theirs, ours.cursor() as here, theirs.cursor() as there:
        return replace(report, schema=diff_catalogues(here, there))

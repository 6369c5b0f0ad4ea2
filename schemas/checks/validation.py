"""The comparison: how often, and queries that only read."""

from collections.abc import Iterator

from schemas.checks.sql import why_not_select
from schemas.diagnostics import Diagnostic
from schemas.spec import Spec
from schemas.units import format_duration
from schemas.words import quote


def intervals(spec: Spec) -> Iterator[Diagnostic]:
    """The full comparison includes what the quick one does."""
    validation = spec.migration.validation
    if validation.full < validation.every:
        path = ("validation", "full")
        if path not in spec.positions:
            path = ("validation", "every")
        full, every = format_duration(validation.full), format_duration(validation.every)
        message = f"everything is compared every {full}, oftener than what changed, every {every}"
        yield spec.finding("PMG210", path, message, f"write full: {every} or longer")


def invariant_names(spec: Spec) -> Iterator[Diagnostic]:
    """Reports and metrics know an invariant by its name."""
    first = dict[str, int]()
    for index, invariant in enumerate(spec.migration.validation.invariants):
        if invariant.name in first:
            line = spec.locate(("validation", "invariants", first[invariant.name], "name")).line
            message = f"the invariant {quote(invariant.name)} is named twice"
            path = ("validation", "invariants", index, "name")
            yield spec.finding("PMG212", path, message, f"the first is on line {line}: rename one of them")
        first.setdefault(invariant.name, index)


def queries(spec: Spec) -> Iterator[Diagnostic]:
    """An invariant runs on the live databases, so it must only read."""
    for index, invariant in enumerate(spec.migration.validation.invariants):
        why = why_not_select(invariant.sql)
        if why is not None:
            path = ("validation", "invariants", index, "sql")
            message = f"the query of {quote(invariant.name)} is not a single SELECT: {why}"
            hint = "write one SELECT that reads; quote a column that is named like a command"
            yield spec.finding("PMG211", path, message, hint)

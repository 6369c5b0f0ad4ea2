"""From facts to findings, and from findings to what is shown."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from paymig.preflight.case import ERROR, Case, Finding
from paymig.preflight.rules import RULES
from schemas.diagnostics import Diagnostic, Severity
from schemas.spec import Spec

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def judge(case: Case) -> list[Finding]:
    """Return everything that the rules find, errors first."""
    found = [finding for rule in RULES for finding in rule(case)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def stops(findings: Sequence[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity is ERROR for finding in findings)


def diagnostics(spec: Spec, findings: Sequence[Finding]) -> list[Diagnostic]:
    """Return the findings with their places in the spec's file."""
    return [
        spec.finding(finding.code, finding.path, finding.message, finding.hint, finding.severity)
        for finding in findings
    ]


def as_json(spec: Spec, findings: Sequence[Finding]) -> str:
    """Write the findings as a JSON array: the fields of a diagnostic, and `side` and `sql` to mend it."""
    shown = [
        {**asdict(diagnostic), "hint": finding.advice, "side": finding.side, "sql": finding.sql}
        for diagnostic, finding in zip(diagnostics(spec, findings), findings, strict=True)
    ]
    return json.dumps(shown, indent=2, ensure_ascii=False)

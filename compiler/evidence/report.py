"""The evidence report as data: findings and inventories of one compiled migration."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compiler.compile import Compiled
from compiler.evidence.assess import Finding, Verdict, assess
from compiler.evidence.checks import Seen
from compiler.evidence.inventories import Inventory, inventories
from compiler.linked import Resource, link
from compiler.plan.sources import locator, templates_of

STANDARD = "PCI DSS v4.0.1"
NOTE = (
    "This report says what the templates show and where. It does not say that a requirement is met: that is for an "
    "assessor to judge, with what is left to process."
)


@dataclass(frozen=True)
class Report:
    """Everything a rendering needs.

    Attributes:
        spec: its file, as the operator named it.
        digest: SHA-256 over all templates, so that a report and a deployment can be told to belong together.
        lines: for each place, the line of the spec it comes from, `specs/payments.yaml:24`.
    """

    migration: str
    region: str
    spec: str
    digest: str
    findings: tuple[Finding, ...]
    inventories: tuple[Inventory, ...]
    lines: Mapping[str, str]

    def count(self, verdict: Verdict) -> int:
        """Count the findings with a verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)

    def line(self, place: str) -> str:
        """Return the line of the spec for a place, that of its resource for a part of one."""
        while place and place not in self.lines:
            place = place.rpartition("/")[0]
        return self.lines.get(place, self.spec)


def report(compiled: Compiled) -> Report:
    """Make the report of a compiled migration."""
    resources = link(templates_of(compiled), {})
    locate = locator(compiled.source_map)

    def where(resource: Resource) -> str:
        cause = locate(resource, "")
        return f"{cause.file}:{cause.line}"

    content = b"".join(compiled.templates[name] for name in sorted(compiled.templates))
    return Report(
        migration=compiled.migration.full_name,
        region=compiled.migration.region,
        spec=compiled.source_map.spec.file,
        digest=hashlib.sha256(content).hexdigest(),
        findings=assess(resources),
        inventories=inventories(resources, where),
        lines={place: where(resource) for place, resource in resources.items()},
    )


def to_json(made: Report) -> str:
    """Write a report as JSON."""
    return json.dumps(
        {
            "standard": STANDARD,
            "note": NOTE,
            "migration": made.migration,
            "region": made.region,
            "spec": made.spec,
            "templates_sha256": made.digest,
            "summary": {verdict.value: made.count(verdict) for verdict in Verdict},
            "requirements": [_finding(made, finding) for finding in made.findings],
            "inventories": [
                {
                    "title": one.title,
                    "requirements": one.purpose.split(", "),
                    "rows": [dict(zip(one.columns, row, strict=True)) for row in one.rows],
                }
                for one in made.inventories
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _finding(made: Report, finding: Finding) -> dict[str, Any]:
    def seen(one: Seen) -> dict[str, str]:
        return {"resource": one.place, "property": one.path, "value": one.value, "line": made.line(one.place)}

    return {
        "numbers": list(finding.requirement.numbers),
        "what": finding.requirement.what,
        "verdict": finding.verdict.value,
        "checks": [str(check) for check in finding.requirement.checks],
        "shown": [seen(one) for one in finding.shown],
        "failed": [seen(one) for one in finding.failed],
        "missing": [str(check) for check in finding.missing],
        "process": finding.requirement.process,
    }

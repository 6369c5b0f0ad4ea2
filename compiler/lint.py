"""cfn-lint over a compiled result, its findings told as lines of the spec."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compiler.compile import ROOT, Compiled
from compiler.json_text import to_json
from schemas.diagnostics import Diagnostic, Severity

_KEY = re.compile(r"templates/(.+)\.[0-9a-f]{32}\.json$")
_WORKERS = 2
_MAIN = "import sys; from cfnlint.runner import main; sys.exit(main())"
# The local file names that let it compare parent and children are this module's own doing, not the template's.
_OF_LOCAL_NAMES = "W3002"
_SEVERITIES = {"Error": Severity.ERROR, "Warning": Severity.WARNING, "Informational": Severity.NOTE}


class LintError(Exception):
    """cfn-lint is missing, or stopped without a result."""


def lint(compiled: Compiled) -> tuple[Diagnostic, ...]:
    """Run cfn-lint over all templates of a migration, nested ones together with their parent.

    Returns:
        Its findings, each at the line of the spec it comes from, errors first.

    Raises:
        LintError: it is not installed, or failed.
    """
    if find_spec("cfnlint") is None:
        raise LintError("cfn-lint is not installed. Install it with `pip install 'paymig[lint]'`.")
    with tempfile.TemporaryDirectory(prefix="paymig-lint-") as name:
        folder = Path(name)
        for template, body in compiled.templates.items():
            (folder / f"{template}.json").write_bytes(_with_local_children(body) if template == ROOT else body)
        matches = _run(folder, _shares(compiled.templates), compiled.migration.region)
    found = {_diagnostic(compiled, match) for match in matches}
    return tuple(sorted(found, key=lambda one: (one.severity != Severity.ERROR, one.line, one.column, one.message)))


def _with_local_children(body: bytes) -> bytes:
    root = json.loads(body)
    for resource in root["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            key = _KEY.search(resource["Properties"]["TemplateURL"]["Fn::Sub"])
            if key is not None:
                resource["Properties"]["TemplateURL"] = f"./{key[1]}.json"
    return to_json(root)


def _shares(templates: Mapping[str, bytes]) -> list[list[str]]:
    """Deal the templates out, the largest first, so that each worker gets about as much."""
    shares: list[list[str]] = [[] for _ in range(_WORKERS)]
    for name in sorted(templates, key=lambda name: (-len(templates[name]), name)):
        min(shares, key=lambda share: sum(len(templates[one]) for one in share)).append(name)
    return [share for share in shares if share]


def _run(folder: Path, shares: Iterable[Sequence[str]], region: str) -> list[dict[str, Any]]:
    # By file and never by text: a template read from text is not compared with its parent.
    command = [sys.executable, "-c", _MAIN, "--format", "json", "--regions", region]
    command += ["--ignore-checks", _OF_LOCAL_NAMES, "--"]
    workers = [
        subprocess.Popen(
            [*command, *(f"{name}.json" for name in share)],
            cwd=folder,
            # Its own settings of the folder or the user would change what is found.
            env={**os.environ, "HOME": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for share in shares
    ]
    matches: list[dict[str, Any]] = []
    for worker in workers:
        out, err = worker.communicate()
        try:
            matches += json.loads(out)
        except ValueError:
            said = (err.strip() or out.strip() or "nothing").splitlines()[-1]
            raise LintError(f"cfn-lint stopped with exit code {worker.returncode} and said: {said}") from None
    return matches


def _diagnostic(compiled: Compiled, match: Mapping[str, Any]) -> Diagnostic:
    template = Path(match["Filename"]).stem
    section, *rest = [str(part) for part in match["Location"]["Path"] or ()] or [""]
    logical_id = rest[0] if section == "Resources" and rest else None
    inside = ".".join(rest[2:]) if rest[1:2] == ["Properties"] else ""
    where = ".".join(part for part in (template, logical_id, inside) if part)
    source_map = compiled.source_map
    return source_map.spec.finding(
        "PMG901",
        source_map.path(template, logical_id, inside),
        f"{match['Rule']['Id']} at {where}: {match['Message']}",
        f"{match['Rule']['ShortDescription']}. See {match['Rule']['Source']}",
        _SEVERITIES[match["Level"]],
    )

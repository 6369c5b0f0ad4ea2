"""cfn-lint over compiled results, its findings told as lines of the spec.

What was found in a template is kept by the hash of its content, so that only changed templates are linted. The root is
compared with the templates that it nests, so they are a part of its content; everything else that a result depends on,
cfn-lint's version and options and the region, is a part of the hash as well.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from compiler import cache
from compiler.compile import ROOT, Compiled
from compiler.json_text import to_json
from schemas.diagnostics import Diagnostic, Severity

_KEY = re.compile(r"templates/(.+)\.[0-9a-f]{32}\.json$")
_MAIN = "from compiler.lint_worker import main; main()"
_WORKER = Path(__file__).with_name("lint_worker.py")
_SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "informational": Severity.NOTE}


class LintError(Exception):
    """cfn-lint is missing, or stopped without a result."""


class _Unit(NamedTuple):
    """A template to be linted.

    Attributes:
        files: what has to lie side by side for it, by template name: itself, and what it nests.
        key: the hash of all that its findings depend on.
    """

    name: str
    region: str
    files: Mapping[str, bytes]
    key: str


def lint(compiled: Compiled) -> tuple[Diagnostic, ...]:
    """Run cfn-lint over all templates of a migration, nested ones together with their parent.

    Returns:
        Its findings, each at the line of the spec it comes from, errors first.

    Raises:
        LintError: it is not installed, or failed.
    """
    return lint_all([compiled])[0]


def lint_all(results: Sequence[Compiled]) -> list[tuple[Diagnostic, ...]]:
    """Run cfn-lint over several migrations at once; findings and errors as for `lint`, by migration."""
    version = _version()
    units = [list(_units(compiled, version)) for compiled in results]
    found = _findings({unit.key: unit for one in units for unit in one})
    return [
        _in_order({_diagnostic(compiled, unit.name, finding) for unit in one for finding in found[unit.key]})
        for compiled, one in zip(results, units, strict=True)
    ]


def _version() -> bytes:
    """What identifies the linter: cfn-lint's version, and how it is run."""
    found = find_spec("cfnlint")
    if found is None or found.origin is None:
        raise LintError("cfn-lint is not installed. Install it with `pip install 'paymig[lint]'`.")
    return Path(found.origin).with_name("version.py").read_bytes() + _WORKER.read_bytes()


def _units(compiled: Compiled, version: bytes) -> Iterator[_Unit]:
    region = compiled.migration.region
    for name, body in compiled.templates.items():
        children = compiled.templates if name == ROOT else {}
        files = {**children, name: _with_local_children(body) if name == ROOT else body}
        digest = hashlib.sha256(version)
        for part in (region.encode(), *(part for file in sorted(files) for part in (file.encode(), files[file]))):
            digest.update(b"%d:" % len(part) + part)
        yield _Unit(name, region, files, digest.hexdigest())


def _with_local_children(body: bytes) -> bytes:
    root = json.loads(body)
    for resource in root["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            key = _KEY.search(resource["Properties"]["TemplateURL"]["Fn::Sub"])
            if key is not None:
                resource["Properties"]["TemplateURL"] = f"./{key[1]}.json"
    return to_json(root)


def _findings(units: Mapping[str, _Unit]) -> dict[str, list[dict[str, Any]]]:
    """Return what is found in each unit, from the cache or else by cfn-lint, by key."""
    home = Path(cache.folder()) / "lint"
    found: dict[str, list[dict[str, Any]]] = {}
    for key in units:
        with suppress(ValueError):  # a damaged file is no result
            found[key] = json.loads(cache.read(str(home / key)) or "")
    # The largest first, so that no worker is left with it at the end.
    missing = sorted(units.keys() - found.keys(), key=lambda key: (-sum(map(len, units[key].files.values())), key))
    if missing:
        for key, findings in zip(missing, _run([units[key] for key in missing]), strict=True):
            found[key] = findings
            cache.keep(str(home / key), json.dumps(findings))
        cache.prune(str(home))
    return found


def _run(units: Sequence[_Unit]) -> list[list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory(prefix="paymig-lint-") as name:
        jobs = []
        for number, unit in enumerate(units):
            folder = Path(name) / str(number)
            folder.mkdir()
            for file, body in unit.files.items():
                (folder / f"{file}.json").write_bytes(body)
            jobs.append((f"{number}/{unit.name}.json", unit.region))
        done = subprocess.run(
            [sys.executable, "-c", _MAIN],
            input=json.dumps(jobs),
            cwd=name,
            # Settings of the folder or the user would change what is found; the code is what this process runs.
            env={**os.environ, "HOME": name, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        return json.loads(done.stdout)  # type: ignore[no-any-return]
    except ValueError:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise LintError(f"cfn-lint stopped with exit code {done.returncode} and said: {said}") from None


def _in_order(found: set[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(found, key=lambda one: (one.severity != Severity.ERROR, one.line, one.column, one.message)))


def _diagnostic(compiled: Compiled, template: str, finding: Mapping[str, Any]) -> Diagnostic:
    section, *rest = finding["path"] or [""]
    logical_id = rest[0] if section == "Resources" and rest else None
    inside = ".".join(rest[2:]) if rest[1:2] == ["Properties"] else ""
    where = ".".join(part for part in (template, logical_id, inside) if part)
    source_map = compiled.source_map
    return source_map.spec.finding(
        "PMG901",
        source_map.path(template, logical_id, inside),
        f"{finding['rule']} at {where}: {finding['message']}",
        f"{finding['about']}. See {finding['source']}",
        _SEVERITIES[finding["severity"]],
    )

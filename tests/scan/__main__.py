"""`python -m tests.scan`: pinned scanners, all of them over the compiled examples; any finding fails."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from compiler.bootstrap import bootstrap
from compiler.compile import compile_spec
from compiler.lint import lint
from schemas.load import load
from tests.examples import EXAMPLES, SPECS
from tests.scan.policies import accepted, printed
from tests.scan.scanners import HERE, SCANNERS, Finding, Tools, judged

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "scan"
_PINS = ("package-lock.json", "package.json", "requirements.txt")

Place = tuple[str, str, str]
"""A template, a resource, a rule."""


def install() -> Tools:
    """Install the scanners where no earlier run with the same pins did."""
    pins = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _PINS)).hexdigest()[:16]
    home = BUILD / f"tools-{pins}"
    tools = Tools(home / "venv" / "bin" / "python", home / "node_modules")
    if (home / "installed").exists():
        return tools
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    sys.stdout.write("==> installing the scanners (a minute or two)\n")
    _install(sys.executable, "-m", "venv", str(home / "venv"))
    pip = (str(tools.python), "-m", "pip", "--quiet", "--disable-pip-version-check")
    _install(*pip, "install", "--require-hashes", "-r", str(HERE / "requirements.txt"))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, home)
    _install("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", folder=home)
    (home / "installed").touch()
    return tools


def _install(*command: str, folder: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout)[-2000:]}")


def compile_to(name: str) -> tuple[Path, list[Finding]]:
    """Compile an example; gives its folder of templates and cfn-lint's findings, warnings and notes among them."""
    compiled = compile_spec(load(SPECS / f"{name}.yaml"))
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for template, body in compiled.templates.items():
        (folder / f"{template}.json").write_bytes(body)
    return folder, [Finding("cfn-lint", name, "", one.code, one.message) for one in lint(compiled)]


def exempted(templates: Path) -> set[Place]:
    """What the resources' own metadata excepts."""
    found: set[Place] = set()
    for path in templates.glob("*.json"):
        for logical_id, resource in json.loads(path.read_bytes())["Resources"].items():
            metadata: dict[str, Any] = resource.get("Metadata", {})
            entries = [
                *metadata.get("checkov", {}).get("skip", ()),
                *metadata.get("cdk_nag", {}).get("rules_to_suppress", ()),
                *metadata.get("paymig_scan", {}).get("skip", ()),
            ]
            found |= {(path.stem, logical_id, entry["id"]) for entry in entries}
    return found


def main() -> int:
    tools = install()
    found: list[Finding] = []
    exceptions: set[Place] = set()
    for name in EXAMPLES:
        folder, own = compile_to(name)
        found += own
        exceptions |= exempted(folder)
        for scanner in SCANNERS:
            found += scanner(tools, folder)
        on_policies = judged(tools, list(printed(load(SPECS / f"{name}.yaml"))))
        found += [one for one in on_policies if not accepted(one.rule, one.text)]
    standing = BUILD / "bootstrap"
    standing.mkdir(exist_ok=True)
    (standing / "bootstrap.json").write_bytes(bootstrap())
    exceptions |= exempted(standing)
    for scanner in SCANNERS:
        found += scanner(tools, standing)
    places = {(one.template, one.resource, one.rule) for one in found}
    stale = [Finding("exceptions", *place, "this exception excepts nothing") for place in sorted(exceptions - places)]
    open_ = [one for one in dict.fromkeys(found) if (one.template, one.resource, one.rule) not in exceptions]
    excepted = Counter(one.scanner for one in set(found) if one not in open_)
    findings = Counter(one.scanner for one in [*open_, *stale])
    sys.stdout.write(f"{'scanner':<16}{'findings':>9}{'excepted':>10}\n")
    for scanner in ("cfn-lint", "checkov", "cdk-nag", "parliament", "detect-secrets", "exceptions"):
        sys.stdout.write(f"{scanner:<16}{findings[scanner]:>9}{excepted[scanner]:>10}\n")
    for one in [*open_, *stale]:
        sys.stdout.write(f"{one.scanner}: {one.template}/{one.resource}: {one.rule}: {one.text}\n")
    return 1 if open_ or stale else 0


if __name__ == "__main__":
    sys.exit(main())

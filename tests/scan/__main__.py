"""`python -m tests.scan`: pinned scanners, all of them over the compiled examples; any finding fails."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from compiler.bootstrap import bootstrap
from compiler.compile import Compiled, compile_spec
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


def write(templates: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, body in templates.items():
        (folder / f"{name}.json").write_bytes(body)


def written(folder: Path) -> Iterator[Compiled]:
    """Compile every example, and the bootstrap, each to a folder of its own in this one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write({"bootstrap": bootstrap()}, folder / "bootstrap")
    for name in EXAMPLES:
        compiled = compile_spec(load(SPECS / f"{name}.yaml"))
        write(compiled.templates, folder / name)
        yield compiled


def exempted(templates: Path) -> set[Place]:
    """What the resources' own metadata excepts."""
    found: set[Place] = set()
    for path in templates.glob("*/*.json"):
        for logical_id, resource in json.loads(path.read_bytes())["Resources"].items():
            metadata: dict[str, Any] = resource.get("Metadata", {})
            entries = [
                *metadata.get("checkov", {}).get("skip", ()),
                *metadata.get("cdk_nag", {}).get("rules_to_suppress", ()),
                *metadata.get("paymig_scan", {}).get("skip", ()),
            ]
            found |= {(path.stem, logical_id, entry["id"]) for entry in entries}
    return found


def linted(examples: Sequence[Compiled]) -> list[Finding]:
    """What cfn-lint finds, warnings and notes among it."""
    return [
        Finding("cfn-lint", compiled.migration.name, "", one.code, one.message)
        for compiled in examples
        for one in lint(compiled)
    ]


def on_printed(tools: Tools, examples: Sequence[Compiled]) -> list[Finding]:
    """What parliament finds in what `paymig policy` prints."""
    found = judged(tools, [one for compiled in examples for one in printed(compiled)])
    return [one for one in found if not accepted(one.rule, one.text)]


def main() -> int:
    tools = install()
    templates = BUILD / "templates"
    examples = list(written(templates))
    # Each is a process of its own.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(scanner, tools, templates) for scanner in SCANNERS]
        running += [pool.submit(on_printed, tools, examples), pool.submit(linted, examples)]
        found = [one for scan in running for one in scan.result()]
    exceptions = exempted(templates)
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

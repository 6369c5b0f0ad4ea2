"""`python -m tests.scan`: pinned scanners, all of them over the compiled examples; any finding fails.

With `--generated 1000` they go over as many generated specs instead, which `--seed` repeats.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from compiler.bootstrap import bootstrap
from compiler.compile import Compiled, compile_spec
from compiler.lint import lint_all
from schemas.load import load
from tests.examples import EXAMPLES, SPECS
from tests.generated import compile_data, drawn
from tests.scan.policies import accepted, printed
from tests.scan.scanners import HERE, SCANNERS, Finding, Scanner, Tools, detect_secrets, judged
from tests.strategies import yaml_text

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "scan"
BATCH = 25
"""Generated specs that are scanned at once: enough that the scanners' start is little, and few to hold in memory."""
_PINS = ("package-lock.json", "package.json", "requirements.txt")

_OF_GENERATED = tuple(scanner for scanner in SCANNERS if scanner is not detect_secrets)
"""To detect-secrets the random names of generated specs are as random as secrets."""


class Place(NamedTuple):
    """Where a rule is not followed."""

    spec: str
    template: str
    resource: str
    rule: str

    @classmethod
    def of(cls, found: Finding) -> "Place":
        return cls(found.spec, found.template, found.resource, found.rule)


class Scan(NamedTuple):
    """What was found.

    Attributes:
        open: what no exception covers.
        excepted: what one covers.
        stale: exceptions that cover nothing in any spec.
    """

    open: list[Finding]
    excepted: set[Finding]
    stale: list[Finding]


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
    folder.mkdir(parents=True)
    for name, body in templates.items():
        (folder / f"{name}.json").write_bytes(body)


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
            found |= {Place(path.parent.name, path.stem, logical_id, entry["id"]) for entry in entries}
    return found


def linted(specs: Mapping[str, Compiled]) -> list[Finding]:
    """What cfn-lint finds, warnings and notes among it."""
    return [
        Finding("cfn-lint", name, "", "", one.code, one.message)
        for name, found in zip(specs, lint_all(list(specs.values())), strict=True)
        for one in found
    ]


def on_printed(tools: Tools, specs: Mapping[str, Compiled]) -> list[Finding]:
    """What parliament finds in what `paymig policy` prints."""
    found = judged(tools, [(name, *one) for name, compiled in specs.items() for one in printed(compiled)])
    return [one for one in found if not accepted(one.rule, one.text)]


def scan(tools: Tools, specs: Mapping[str, Compiled], scanners: Sequence[Scanner] = SCANNERS) -> Scan:
    """Run scanners and cfn-lint over compiled specs, by name, and the bootstrap."""
    templates = BUILD / "templates"
    shutil.rmtree(templates, ignore_errors=True)
    write({"bootstrap": bootstrap()}, templates / "bootstrap")
    for name, compiled in specs.items():
        write(compiled.templates, templates / name)
    # Each is a process of its own.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(scanner, tools, templates) for scanner in scanners]
        running += [pool.submit(on_printed, tools, specs), pool.submit(linted, specs)]
        found = dict.fromkeys(one for scan in running for one in scan.result())
    exceptions = exempted(templates)
    open_ = [one for one in found if Place.of(one) not in exceptions]
    covering = {Place.of(one)[1:] for one in found}
    stale = [place for place in sorted(exceptions) if place[1:] not in covering]
    return Scan(
        open_,
        found.keys() - set(open_),
        [Finding("exceptions", *place, "this exception excepts nothing") for place in stale],
    )


def of_examples(tools: Tools) -> int:
    """Scan the example specs and print a table; return the exit code."""
    found = scan(tools, {name: compile_spec(load(SPECS / f"{name}.yaml")) for name in EXAMPLES})
    wrong = [*found.open, *found.stale]
    excepted, findings = (Counter(one.scanner for one in some) for some in (found.excepted, wrong))
    sys.stdout.write(f"{'scanner':<16}{'findings':>9}{'excepted':>10}\n")
    for scanner in ("cfn-lint", "checkov", "cdk-nag", "parliament", "detect-secrets", "exceptions"):
        sys.stdout.write(f"{scanner:<16}{findings[scanner]:>9}{excepted[scanner]:>10}\n")
    return told(wrong)


def of_generated(tools: Tools, count: int, seed: int) -> int:
    """Scan generated specs, batch after batch until one has a finding; return the exit code."""
    specs = BUILD / "specs"
    shutil.rmtree(specs, ignore_errors=True)
    specs.mkdir(parents=True)
    generated = {f"generated-{number}": data for number, data in enumerate(drawn(count, seed), 1)}
    for start in range(0, len(generated), BATCH):
        by_name = dict(list(generated.items())[start : start + BATCH])
        for name, data in by_name.items():
            (specs / f"{name}.yaml").write_text(yaml_text(data))
        # An exception for what only other specs have covers nothing in these: that is no finding.
        wrong = scan(tools, {name: compile_data(data) for name, data in by_name.items()}, _OF_GENERATED).open
        if wrong:
            sys.stdout.write(f"--seed {seed}; the specs are in {specs.relative_to(ROOT)}\n")
            return told(wrong)
        sys.stdout.write(
            f"{start + len(by_name)} of {len(generated)} generated specs (--seed {seed}) have no finding\n"
        )
        sys.stdout.flush()
    return 0


def told(wrong: Sequence[Finding]) -> int:
    for one in wrong:
        sys.stdout.write(f"{one.scanner}: {one.spec}/{one.template}/{one.resource}: {one.rule}: {one.text}\n")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scan", description=__doc__.partition("\n")[0])
    parser.add_argument("--generated", type=int, metavar="COUNT", help="scan generated specs in place of the examples")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    tools = install()
    return of_generated(tools, asked.generated, asked.seed) if asked.generated else of_examples(tools)


if __name__ == "__main__":
    sys.exit(main())

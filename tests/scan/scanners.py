"""The scanners: each gets a folder with one of templates for each spec, and gives what it finds, exempted or not."""

import ast
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.scan.policies import policies

HERE = Path(__file__).parent

ALTERNATIVES = {
    ("states:DescribeExecution", "express"),
    ("states:ListExecutions", "mapRun"),
    ("states:ListExecutions", "stateMachine"),
}
"""Actions, and the kinds of resources that they take beside those they are given here."""


class Finding(NamedTuple):
    """What a scanner says about a resource, or a whole template; `spec` is the name of its folder."""

    scanner: str
    spec: str
    template: str
    resource: str
    rule: str
    text: str


class Tools(NamedTuple):
    """Where the scanners are installed."""

    python: Path
    modules: Path


def checkov(tools: Tools, templates: Path) -> list[Finding]:
    # From inside the folder: a long path to a template looks to it like a secret.
    command = [tools.python.parent / "checkov", "--directory", ".", "--framework", "cloudformation"]
    answer = json.loads(_run([*command, "--skip-download", "--compact", "-o", "json"], templates, accepted=(0, 1)))
    if answer["results"]["parsing_errors"]:
        raise RuntimeError(f"checkov cannot read {answer['results']['parsing_errors']}")
    return [
        Finding(
            "checkov", *_place(one["file_path"]), one["resource"].split(".")[-1], one["check_id"], one["check_name"]
        )
        for kind in ("failed_checks", "skipped_checks")
        for one in answer["results"][kind]
    ]


def cdk_nag(tools: Tools, templates: Path) -> list[Finding]:
    files = sorted(templates.glob("*/*.json"))
    answer = json.loads(_run(["node", HERE / "nag.js", *files], templates, NODE_PATH=str(tools.modules)))
    return [Finding("cdk-nag", *_place(one["file"]), one["resource"], one["rule"], one["text"]) for one in answer]


def parliament(tools: Tools, templates: Path) -> list[Finding]:
    return judged(tools, [(spec, *one) for spec, contents in _specs(templates) for one in policies(contents)])


def judged(tools: Tools, found: Sequence[tuple[str, str, str, Any]]) -> list[Finding]:
    """Give parliament's findings on policies, each of which comes after where it stands: spec, template, resource."""
    command = [tools.python, "-W", "ignore", HERE / "parliament_run.py"]
    answer = json.loads(_run(command, HERE, json.dumps([one[3] for one in found])))
    return [
        Finding("parliament", *found[index][:3], rule, text)
        for index, rule, text in answer
        if not (rule == "RESOURCE_MISMATCH" and _wants_alternatives(text))
    ]


def _wants_alternatives(text: str) -> bool:
    """Whether all that is missed are forms of ARNs that parliament wants together, where AWS wants one of them."""
    missed = ast.literal_eval(text.partition(": ")[2])
    return all((one["action"], one["required_format"].split(":")[5]) in ALTERNATIVES for one in missed)


def detect_secrets(tools: Tools, templates: Path) -> list[Finding]:
    # A file for each resource: it tells no more than a file and a line.
    with tempfile.TemporaryDirectory(prefix="paymig-scan-") as folder:
        for spec, contents in _specs(templates):
            place = Path(folder, spec)
            place.mkdir()
            for name, template in contents.items():
                for logical_id, resource in template["Resources"].items():
                    text = json.dumps({key: value for key, value in resource.items() if key != "Metadata"}, indent=1)
                    (place / f"{name}.{logical_id}.json").write_text(text)
                rest = {key: value for key, value in template.items() if key != "Resources"}
                (place / f"{name}..json").write_text(json.dumps(rest, indent=1))
        answer = json.loads(_run([tools.python.parent / "detect-secrets", "scan", "--all-files", "."], Path(folder)))
    return [
        Finding(
            "detect-secrets",
            Path(file).parent.name,
            *Path(file).stem.split(".", 1),
            one["type"],
            f"line {one['line_number']}",
        )
        for file, found in answer["results"].items()
        for one in found
    ]


Scanner = Callable[[Tools, Path], list[Finding]]
SCANNERS: tuple[Scanner, ...] = (checkov, cdk_nag, parliament, detect_secrets)


def _specs(templates: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each spec's name and its templates, by name."""
    for folder in sorted(templates.iterdir()):
        yield folder.name, {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def _place(file: str) -> tuple[str, str]:
    """The spec and the template that a file is."""
    return Path(file).parent.name, Path(file).stem


def _run(
    command: Sequence[str | Path], folder: Path, text: str = "", accepted: Sequence[int] = (0,), **environment: str
) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode not in accepted:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise RuntimeError(f"{Path(command[0]).name} stopped with exit code {done.returncode}: {said}")
    return done.stdout

"""Examples of bad specs with exactly what is printed for them; `python -m tests.diagnostics` prints them anew.

In each page a YAML block is followed by a text block. A fragment is completed to a whole spec first. Right before it
may stand what lies beside the spec: a block `file NAME`, or `link NAME` with where it leads. A word after `yaml` says
more:

- `whole`: the block stands for itself; `latin1`: it is saved in that encoding
- `compiled`: it is compiled; `linted`: and cfn-lint looks at the stacks of its `extensions`
- `delegated`: its record is checked against the zone example.com; `orphaned`: against none
- `deployed`: CloudFormation refuses a resource of it
- any other: it is checked for that environment
"""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from compiler.compile import compile_spec
from compiler.lint import lint
from paymig.aws.events import Event
from paymig.trace import explain_failure
from schemas.checks.routing import against_zone
from schemas.diagnostics import SpecError, render_text
from schemas.load import load
from schemas.spec import Spec
from tests.fragments import complete
from tests.strategies import SPECS

PAGES = sorted(path for path in Path(__file__).parent.glob("*.md"))
_BESIDE = re.compile(r"```(?P<kind>file|link) (?P<name>\S+)\n(?P<content>[^`]*)```\n\n")
_PAIR = re.compile(
    rf"(?P<beside>(?:{re.sub('[?]P<[a-z]+>', '?:', _BESIDE.pattern)})*)"
    r"```yaml(?: (?P<how>\w+))?\n(?P<yaml>.*?)```\n\n```text\n(?P<text>.*?)```",
    re.DOTALL,
)
_REFUSED = Event(
    id="1",
    component="Database",
    logical_id="Cluster",
    physical_id="",
    type="AWS::RDS::DBCluster",
    status="CREATE_FAILED",
    reason="Cannot find version 16.9 for aurora-postgresql",
    time=datetime(2026, 1, 1, tzinfo=UTC),
)


def _compiled(spec: Spec) -> str:
    compile_spec(spec)
    return render_text(spec.warnings, {spec.file: spec.text})


def _linted(spec: Spec) -> str:
    result = compile_spec(spec)
    own = {name: result.templates[name] for name in spec.migration.extensions}
    return render_text(lint(replace(result, templates=own)), {spec.file: spec.text})


def _delegated(spec: Spec) -> str:
    return render_text(tuple(against_zone(spec, "example.com")), {spec.file: spec.text})


def _orphaned(spec: Spec) -> str:
    return render_text(tuple(against_zone(spec, None)), {spec.file: spec.text})


def _deployed(spec: Spec) -> str:
    return explain_failure(compile_spec(spec), _REFUSED)


_MORE: Mapping[str | None, Callable[[Spec], str]] = {
    "compiled": _compiled,
    "linted": _linted,
    "delegated": _delegated,
    "orphaned": _orphaned,
    "deployed": _deployed,
}


def printed(fragment: str, how: str | None, beside: str = "") -> str:
    """Return what `paymig check` prints for a fragment, or the command that looks further."""
    text = fragment if how == "whole" else complete(fragment)
    environment = None if how in (None, "whole", "latin1", *_MORE) else how
    file = Path("migration.yaml")
    with TemporaryDirectory() as folder, chdir(folder):
        shutil.copytree(SPECS, ".", dirs_exist_ok=True)
        for kind, name, content in _BESIDE.findall(beside):
            _put(Path(name), kind, content)
        file.write_bytes(text.encode("latin-1" if how == "latin1" else "utf-8"))
        try:
            spec = load(file, environment)
            said = _MORE[how](spec) if how in _MORE else render_text(spec.warnings, {spec.file: spec.text})
        except SpecError as error:
            said = render_text(error.diagnostics, error.sources)
    return f"{said}\n"


def _put(path: Path, kind: str, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        path.symlink_to(content.strip())
    else:
        path.write_text(content)


def anew(page: str) -> str:
    """Return a page with every text block as it is printed now."""

    def replaced(pair: re.Match[str]) -> str:
        said = printed(pair["yaml"], pair["how"], pair["beside"])
        return pair[0][: pair.start("text") - pair.start()] + said + "```"

    return _PAIR.sub(replaced, page)


def examples(page: str) -> int:
    """Count the examples of a page."""
    return len(_PAIR.findall(page))


def shown(page: str) -> set[str]:
    """Return the codes that a page shows being printed."""
    return {code for pair in _PAIR.finditer(page) for code in re.findall(r"\[(PMG\d+)\]: ", pair["text"])}


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(anew(path.read_text()))

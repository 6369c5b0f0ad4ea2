"""Diagnostics for a GitHub workflow and for code scanning."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.codes import CODES
from schemas.diagnostics import Diagnostic, Severity, Span, SpecError
from schemas.formats import pages
from schemas.formats.github import render_github
from schemas.formats.sarif import render_sarif
from schemas.load import parse
from tests.fragments import complete
from tests.strategies import SPECS

_COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")

_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_POSITION = {"type": "integer", "minimum": 1}
SHAPE: dict[str, Any] = {
    # What SARIF 2.1.0 asks of the parts that are written here.
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"type": "string", "pattern": r"^[A-Z]\w*$"},
                                                "shortDescription": _TEXT,
                                                "fullDescription": _TEXT,
                                                "help": _TEXT,
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "additionalProperties": False,
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": {"uri": {"type": "string", "format": "uri"}},
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "additionalProperties": False,
                                                        "properties": dict.fromkeys(
                                                            ("startLine", "startColumn", "endLine", "endColumn"),
                                                            _POSITION,
                                                        ),
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def found(text: str) -> tuple[Diagnostic, ...]:
    try:
        return parse(complete(text), "specs/migration.yaml", SPECS).warnings
    except SpecError as error:
        return error.diagnostics


def diagnostic(
    message: str = "no",
    *,
    file: str = "a.yaml",
    span: Span = Span(3, 5, 3, 9),  # noqa: B008 - a tuple
    severity: Severity = Severity.ERROR,
    hint: str | None = None,
) -> Diagnostic:
    return Diagnostic.at(span, "PMG101", message, file=file, severity=severity, hint=hint)


def test_a_github_command_says_where_and_what() -> None:
    [line] = render_github([diagnostic(hint="do this")]).splitlines()
    kind, properties, text = _COMMAND.fullmatch(line).groups()  # type: ignore[union-attr]
    assert kind == "error"
    assert dict(part.split("=", 1) for part in properties.split(",")) == {
        "file": "a.yaml", "line": "3", "endLine": "3", "col": "5", "endColumn": "8", "title": "PMG101 Unknown key",
    }  # fmt: skip
    assert text == "no%0Ahint: do this"


def test_what_would_end_a_github_command_is_escaped() -> None:
    [line] = render_github([diagnostic(message="50% of\r\na: b, c::", file="C:\\a,b.yaml")]).splitlines()
    assert "file=C%3A\\a%2Cb.yaml," in line
    assert line.endswith("::50%25 of%0D%0Aa: b, c::")


@pytest.mark.parametrize(
    ("severity", "command", "level"),
    [
        (Severity.ERROR, "error", "error"),
        (Severity.WARNING, "warning", "warning"),
        (Severity.NOTE, "notice", "note"),
    ],
)
def test_severities_keep_their_weight(severity: Severity, command: str, level: str) -> None:
    one = diagnostic(severity=severity)
    assert render_github([one]).startswith(f"::{command} ")
    assert json.loads(render_sarif([one]))["runs"][0]["results"][0]["level"] == level


def test_a_span_of_several_lines_has_no_columns_for_github() -> None:
    assert "col=" not in render_github([diagnostic(span=Span(3, 5, 4, 2))])


def test_nothing_found_is_nothing_for_github_and_an_empty_run_for_sarif() -> None:
    assert render_github([]) == ""
    log = json.loads(render_sarif([]))
    jsonschema.validate(log, SHAPE)
    assert log["runs"][0]["results"] == []


def test_sarif_is_well_formed_and_knows_every_rule() -> None:
    diagnostics = found("network: {cidr: nonsense, zones: 3}\napi: {memory: lots}\n")
    assert len(diagnostics) >= 3
    log = json.loads(render_sarif(diagnostics))
    jsonschema.validate(log, SHAPE)
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["version"] == version("paymig")
    assert [rule["id"] for rule in driver["rules"]] == list(CODES)
    for one, result in zip(diagnostics, run["results"], strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == one.code
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "specs/migration.yaml"
        assert place["region"] == {
            "startLine": one.line, "startColumn": one.column, "endLine": one.end_line, "endColumn": one.end_column,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "uri"), [("a b/ü.yaml", "a%20b/%C3%BC.yaml"), ("/srv/a.yaml", "file:///srv/a.yaml"), ("a.yaml", "a.yaml")]
)
def test_a_file_becomes_a_uri(file: str, uri: str) -> None:
    log = json.loads(render_sarif([diagnostic(file=file)]))
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


@pytest.mark.parametrize("code", CODES)
def test_every_rule_helps_with_the_text_of_its_page(code: str) -> None:
    page = (SPECS.parent / "docs" / "diagnostics" / f"{code}.md").read_text()
    rules = json.loads(render_sarif([]))["runs"][0]["tool"]["driver"]["rules"]
    [rule] = [rule for rule in rules if rule["id"] == code]
    assert rule["help"]["markdown"] == page
    mend = page.split("## How to mend it\n\n")[1]
    assert " ".join(mend.split()) in " ".join(rule["help"]["text"].split())
    assert "#" not in rule["fullDescription"]["text"].split()[0]


def test_the_pages_carried_along_are_fresh() -> None:
    assert Path(pages.__file__).with_name(pages.FILE).read_text() == pages.collected(), (
        "python -m schemas.formats.pages"
    )

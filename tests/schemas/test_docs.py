"""Every diagnostic has its page, and the example on it gives that very diagnostic."""

import re

import pytest

from schemas.codes import CODES
from schemas.diagnostics import SpecError
from schemas.load import parse
from tests.fragments import complete
from tests.strategies import SPECS

PAGES = SPECS.parent / "docs" / "diagnostics"
_EXAMPLE = re.compile(r"^```(yaml whole|yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PARTS = ("## Why", "## Example", "## How to mend it")


def diagnose(text):
    try:
        return parse(text, "migration.yaml", SPECS).warnings
    except SpecError as error:
        return error.diagnostics


def test_each_code_has_a_page_and_each_page_a_code():
    assert {page.stem for page in PAGES.glob("PMG*.md")} == set(CODES)


def test_the_list_is_complete():
    listed = re.findall(
        r"^\| \[(PMG\d+)\]\((PMG\d+)\.md\) \| (.*) \|$", (PAGES / "README.md").read_text(), re.MULTILINE
    )
    assert listed == [(code, code, title) for code, title in CODES.items()]


@pytest.mark.parametrize("code", CODES)
def test_a_page_explains_and_its_example_is_true(code):
    text = (PAGES / f"{code}.md").read_text()
    assert text.startswith(f"# {code}: {CODES[code]}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(_PARTS)
    ((kind, example),) = _EXAMPLE.findall(text)
    if kind == "text":
        assert code in example or code == "PMG001"
    else:
        found = diagnose(example if kind == "yaml whole" else complete(example))
        assert [diagnostic.code for diagnostic in found] == [code]

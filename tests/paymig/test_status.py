"""The status of a deployed migration: in text, as JSON, as a page."""

import json
from html.parser import HTMLParser

from click.testing import CliRunner

from paymig.aws import weights
from paymig.aws.weights import Weights
from paymig.commands.status import command
from paymig.deploy import record_of
from paymig.status import look
from tests.paymig.operators import shift

_VOID = {"meta", "meter"}


class Balanced(HTMLParser):
    """Collects the open elements and whatever would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href")]


def test_the_status_tells_where_it_stands(stage, spec, deploy, tmp_path):
    before = look(stage.aws, spec.migration)
    assert (before.stack, before.phase, before.healthy) == ("absent", "absent", False)
    deploy(spec)
    shift(stage.aws, spec, 10)
    file = tmp_path / "status.html"

    def run(*arguments: str):
        options = ["--endpoint-url", stage.embedded.endpoint_url, *arguments]
        return CliRunner().invoke(command, [spec.file, *options], env=stage.embedded.environment() | {"COLUMNS": "200"})

    told = json.loads(run("--format", "json", "--html", str(file)).stdout)
    assert (told["phase"], told["writer"], told["live"]) == (
        "shifting",
        {"side": "source", "epoch": 0},
        {"old": 90, "new": 10},
    )
    assert told["wanted"] == "old 90, new 10"
    assert told["rollback"]["lossless"] is True and told["rollback"]["seconds"] == 90
    assert {gate["gate"]: gate["passed"] for gate in told["gates"]}["validation_age"] is False
    shown = run().stdout
    assert "shifting; the source is the writer" in shown and "loses nothing" in shown and "replication_lag" in shown

    parsed = Balanced()
    text = file.read_text()
    parsed.feed(text)
    assert not parsed.loads and "script" not in parsed.tags, "nothing is loaded"
    assert "prefers-color-scheme: dark" in text and "10 % to AWS, 90 % to the source" in text
    assert {"main", "caption", "time", "meter"} <= set(parsed.tags)

    weights.write(stage.aws, record_of(spec.migration), Weights.to_new(37))
    assert "somebody moved it by hand" in run().stdout

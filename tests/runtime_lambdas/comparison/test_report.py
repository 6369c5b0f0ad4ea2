"""The report is what its schema says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from runtime_lambdas.runtime.comparison import Invariant, Options

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "comparison-report.schema.json").read_text())


def valid(report):
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(report)))


@pytest.mark.parametrize("show", [False, True])
def test_a_report_with_everything_in_it_is_valid(pair, show):
    pair.run("CREATE TABLE keyed (id int PRIMARY KEY, v text); CREATE TABLE keyless (v text)")
    pair.run("INSERT INTO keyed VALUES (1, 'a'), (2, NULL); INSERT INTO keyless VALUES ('a')")
    pair.source.run("CREATE TABLE lonely (); ALTER TABLE keyless ADD COLUMN more int")
    pair.target.run("UPDATE keyed SET v = 'b'; INSERT INTO keyed VALUES (3, 'c'); INSERT INTO keyless VALUES ('a')")
    invariants = [Invariant("rows", "SELECT count(*) FROM keyed")]
    options = Options(pause=0.01, patience=2, show_values=show)
    report = pair.compare(options, invariants=invariants).to_json()
    assert report["verdict"] == report["invariants"][0]["verdict"] == "different"
    valid(report)
    valid(pair.compare(Options(seconds=0.0), invariants=invariants).to_json())
    with pytest.raises(ValidationError):
        valid({**report, "verdict": "fine"})

"""Whatever is valid loads, and whatever is not is refused with diagnostics and nothing else."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.diagnostics import SpecError, render_json, render_text
from schemas.load import parse
from schemas.units import (
    format_duration,
    format_percentage,
    format_size,
    parse_duration,
    parse_percentage,
    parse_size,
)
from tests.strategies import SPECS, specs, yaml_text

PAYMENTS = (SPECS / "payments.yaml").read_text()


@given(specs(), st.integers())
def test_every_valid_spec_loads(data, seed):
    spec = parse(yaml_text(data, seed), "migration.yaml", SPECS)
    assert spec.warnings == ()
    assert spec.migration.name == data["name"]
    assert spec.migration.source.network.cidrs[0].with_prefixlen == data["source"]["network"]["cidrs"][0]


@given(specs(), st.integers(), st.integers())
def test_the_order_of_keys_changes_nothing(data, one, another):
    first, second = (parse(yaml_text(data, seed), "migration.yaml", SPECS) for seed in (one, another))
    assert first.migration == second.migration
    assert set(first.positions) == set(second.positions)


@given(specs())
def test_positions_point_at_what_they_name(data):
    text = yaml_text(data)
    lines = text.splitlines()
    for path, place in parse(text, "migration.yaml", SPECS).positions.items():
        if place.key is not None:
            key = place.key
            assert lines[key.line - 1][key.column - 1 : key.end_column - 1] == json.dumps(path[-1])


def refuse_or_load(text):
    try:
        parse(text, "migration.yaml", SPECS)
    except SpecError as error:
        assert error.diagnostics
        assert render_text(error.diagnostics, error.sources, color=True)
        assert len(json.loads(render_json(error.diagnostics))) == len(error.diagnostics)
        lines = len(text.splitlines()) + 1
        assert all(1 <= found.line <= lines and found.column >= 1 for found in error.diagnostics)


@given(st.text())
def test_any_text_is_refused_cleanly(text):
    refuse_or_load(text)


@given(st.text(st.sampled_from("ab01:-,[]{}&*!|>'\"%#?@<~ \n\t\\.")))
def test_any_yaml_like_text_is_refused_cleanly(text):
    refuse_or_load(text)


@given(
    st.integers(0, len(PAYMENTS)),
    st.integers(0, 30),
    st.text(st.sampled_from("ab01:-,[]{}&*!|>'\"%#?@<~ \n\t\\.\x00\x85\u2028é"), max_size=8),
)
def test_a_garbled_spec_is_refused_cleanly(at, cut, put):
    refuse_or_load(PAYMENTS[:at] + put + PAYMENTS[at + cut :])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.data(),
)
def test_any_value_anywhere_is_refused_cleanly(value, data):
    spec = data.draw(specs())
    section = data.draw(st.sampled_from(sorted(spec)))
    if isinstance(spec[section], dict) and spec[section] and data.draw(st.booleans()):
        spec[section][data.draw(st.sampled_from(sorted(spec[section])))] = value
    else:
        spec[section] = value
    refuse_or_load(json.dumps(spec))


@given(st.binary())
def test_any_bytes_are_refused_cleanly(tmp_path_factory, content):
    from schemas.load import load

    path = tmp_path_factory.mktemp("bytes") / "migration.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError):
        load(path)


@given(st.integers(0, 10 * 365 * 86_400_000))
def test_durations_round_trip(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 2**60))
def test_sizes_round_trip(size):
    assert parse_size(format_size(size)) == size


@given(st.integers(0, 1_000_000))
def test_percentages_round_trip(ten_thousandths):
    percentage = Decimal(ten_thousandths) / 10_000
    assert parse_percentage(format_percentage(percentage)) == percentage


def test_a_missing_file_is_a_diagnostic():
    from schemas.load import load

    with pytest.raises(SpecError) as refused:
        load(Path("there-is-none.yaml"))
    assert [found.code for found in refused.value.diagnostics] == ["PMG001"]


def test_halves_of_a_character_are_joined_or_refused():
    """JSON writes a character outside the basic plane as two escapes; one alone is no text."""
    good = (SPECS / "minimal.yaml").read_text()
    with pytest.raises(SpecError) as paired:
        parse(good + 'environments: {staging: {"\\ud800\\udc00": null}}\n', "m", SPECS)
    assert [found.code for found in paired.value.diagnostics] == ["PMG101"]
    with pytest.raises(SpecError) as lone:
        parse(good + 'environments: {staging: {"\\ud800": null}}\n', "m", SPECS)
    assert [found.code for found in lone.value.diagnostics] == ["PMG002"]

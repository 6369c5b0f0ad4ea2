"""The frozen models are the models: same values, same errors at the same places, and the committed files are fresh."""

import copy
import subprocess
import sys
from decimal import Decimal
from typing import get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import ValidationError
from ruamel.yaml import YAML

from schemas import freeze, migration
from schemas.models import fields_of, model_in, models_in
from schemas.record import Record
from schemas.sections.root import Migration
from schemas.validate import defaults, validate
from tests.strategies import SPECS, specs

# Of each type a field has and of none, of the right form and of a wrong one.
VALUES = [
    None, True, 0, -1, 3, 10**20, 0.5, 0.3, "", "x", "30s", "30", "4000d", "512MiB", "5%", "101%", "10.20.0.0/16",
    "10.20.0.1/16", "198.51.100.10", "198.51.100.300", "Not A Name", [], ["x"], [{}], {}, {"x": 1}, b"x", Decimal(1),
]  # fmt: skip


def outcome(check, data):
    """What validating gives: plain data with the class of each mapping, or every error."""
    try:
        return plain(check(copy.deepcopy(data)))
    except ValidationError as error:
        return error.title, error.errors(include_url=False, include_context=True)


def plain(value):
    if isinstance(value, BaseModel | Record):
        return type(value).__name__, {name: plain(part) for name, part in vars(value).items()}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return type(value), value


def alike(data):
    frozen, built = outcome(validate, data), outcome(Migration.model_validate, data)
    assert frozen == built
    return frozen


def payments():
    return YAML(typ="safe", pure=True).load(SPECS / "payments.yaml")


def paths(value, path=()):
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from paths(entry, (*path, key))


def everything(model=Migration):
    """A spec with every key that the models know."""
    return {key: _filled(field) for key, field in fields_of(model).items()}


def _filled(field):
    inner = model_in(field.annotation)
    if inner is None:
        return field.examples[0]
    kind = get_origin(field.annotation)
    return [everything(inner)] if kind is list else {"one": everything(inner)} if kind is dict else everything(inner)


FULL = everything()


def at(data, path):
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize("spec", [FULL, payments()], ids=["everything", "payments"])
def test_every_place_with_every_kind_of_value(spec):
    tried = refused = 0
    for path in paths(spec):
        for value in VALUES if path else ():
            data = copy.deepcopy(spec)
            at(data, path[:-1])[path[-1]] = value
            refused += isinstance(alike(data)[1], list)
            tried += 1
    assert tried > 1000 < refused < tried


@pytest.mark.parametrize("spec", [FULL, payments()], ids=["everything", "payments"])
def test_every_key_left_out_and_one_too_many_everywhere(spec):
    for path in paths(spec):
        if isinstance(at(spec, path), dict):
            data = copy.deepcopy(spec)
            at(data, path)["zzz"] = 1
            alike(data)
        if path:
            data = copy.deepcopy(spec)
            del at(data, path[:-1])[path[-1]]
            alike(data)


@given(specs())
def test_valid_specs(data):
    assert alike(data)[0] == "Migration"


@given(specs(), st.data())
def test_specs_with_several_faults(data, chance):
    data = copy.deepcopy(data)  # parts of it are the strategy's own
    for _ in range(chance.draw(st.integers(1, 4))):
        path = chance.draw(st.sampled_from([path for path in paths(data) if path]))
        at(data, path[:-1])[path[-1]] = copy.deepcopy(chance.draw(st.sampled_from(VALUES)))
    alike(data)


@pytest.mark.parametrize("data", VALUES)
def test_what_is_no_spec(data):
    alike(data)


def test_the_committed_files_are_fresh():
    assert freeze.TYPES.read_text() == freeze.types()
    assert freeze.CORE.read_text() == freeze.core()


def test_each_model_has_its_type_with_its_fields_and_properties():
    for model in models_in(Migration):
        record = getattr(migration, model.__name__)
        assert list(record.__annotations__) == list(model.model_fields)
        assert record.__doc__ == model.__doc__
    built, frozen = Migration.model_validate(payments()), validate(payments())
    assert (built.full_name, built.database_name) == (frozen.full_name, frozen.database_name)


def test_a_validator_from_elsewhere_cannot_be_frozen():
    with pytest.raises(TypeError, match=r"a function of schemas\.units"):
        freeze.named({"type": "function-plain", "function": {"type": "no-info", "function": outcome}})


def test_a_record_is_immutable_and_copies():
    first = validate(payments())
    with pytest.raises(AttributeError, match=r"Migration\.name cannot be set"):
        first.name = "other"
    changed = first.model_copy(update={"name": "other"})
    assert (first.name, changed.name, changed.region) == ("payments", "other", first.region)
    assert changed != first == validate(payments()) == first.model_copy(update={})
    assert repr(first.cutover.rollback).startswith("Rollback(automatic=True, window=datetime.timedelta(")


def test_a_good_spec_loads_without_pydantic_or_a_model():
    code = (
        "import sys\nfrom pathlib import Path\nfrom schemas.load import load\n"
        "load(Path('specs/payments.yaml'))\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SPECS.parent, capture_output=True, text=True, check=True)
    assert not {"pydantic", "schemas.sections", "schemas.models", "schemas.shape"} & set(done.stdout.split())


@pytest.mark.parametrize("model", models_in(Migration))
def test_defaults(model):
    assert outcome(lambda _: defaults(getattr(migration, model.__name__)), {}) == outcome(model.model_validate, {})


def test_a_record_is_not_made_by_hand():
    with pytest.raises(TypeError, match=r"made by schemas\.validate alone"):
        migration.Network()

"""Finding one's way through the models by the paths of a spec."""

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.diagnostics import SpecPath
from schemas.sections.root import Migration


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the keys they have in a spec."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def field_at(path: SpecPath) -> FieldInfo | None:
    """Return the field at a path; for an entry of a list, the list's."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    model = model_at(path[:-1])
    return fields_of(model).get(str(path[-1])) if model is not None and path else None


def model_at(path: SpecPath) -> type[BaseModel] | None:
    """Return the model of the mapping at a path; an overlay has the shape of the spec."""
    if len(path) > 1 and path[0] == "environments":
        path = path[2:]
    model: type[BaseModel] | None = Migration
    named = False  # whether the next key is a name of the operator's, as below `extensions`
    for part in path:
        if isinstance(part, int):
            continue
        if named:
            named = False
            continue
        field = fields_of(model).get(part) if model is not None else None
        if field is None:
            return None
        model = model_in(field.annotation)
        named = getattr(field.annotation, "__origin__", None) is dict
    return None if named else model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an annotation such as `list[Step]` or `Vpn | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = model_in(argument)
        if found is not None:
            return found
    return None


def models_in(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and those that it is made of, each after the first that holds it."""
    found = [model]
    for field in model.model_fields.values():
        inner = model_in(field.annotation)
        found += [] if inner is None else [part for part in models_in(inner) if part not in found]
    return found

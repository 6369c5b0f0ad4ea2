"""What a mapping of a spec becomes: an immutable object with its keys as attributes, without its model's weight."""

from collections.abc import Mapping
from typing import Any, NoReturn, Self


class Record:
    """The values of one model; pydantic-core fills it as it fills a model."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

    def __init__(self) -> None:
        raise TypeError(f"{type(self).__name__} is made by schemas.validate alone, which fills in its defaults")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: make a copy with model_copy")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment] # lists and mappings are among the values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return a copy with some values replaced; as in pydantic, these are not checked."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), **update)
        return copy

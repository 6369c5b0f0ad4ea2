"""What every section shares."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Section(BaseModel):
    """A mapping of the spec: immutable, nothing coerced, no unknown key."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def required(description: str, example: object, **constraints: Any) -> Any:
    """A field the operator must give."""
    return Field(description=description, examples=[example], **constraints)


def optional(default: object, description: str, example: object = None, **constraints: Any) -> Any:
    """A field with a default; `default` is written as in YAML and validated like it."""
    return Field(
        default=default,
        description=description,
        examples=[default if example is None else example],
        validate_default=True,
        **constraints,
    )


def subsection(description: str) -> Any:
    """A mapping whose every field has a default, so that it may be left out whole."""
    return Field(default={}, description=description, validate_default=True)


Hostname = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[a-z0-9_](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$", max_length=253
    ),
]
"""A lower-case DNS name with at least one dot and no trailing one."""

DatabaseName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
"""A PostgreSQL identifier that needs no quoting."""

Port = Annotated[int, Field(ge=1, le=65535)]

SecretArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$"
    ),
]
"""The full ARN of a Secrets Manager secret, its six-character suffix included."""

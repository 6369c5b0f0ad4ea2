"""The arguments and options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SPEC = Path("migration.yaml")


def _default_spec(_: click.Context, __: click.Parameter, spec: Path | None) -> Path:
    if spec is not None:
        return spec
    if not DEFAULT_SPEC.exists():
        raise click.UsageError(
            f"No SPEC given, and there is no {DEFAULT_SPEC} in this folder. `paymig init` writes a first one."
        )
    return DEFAULT_SPEC


def spec_argument(command: F) -> F:
    """SPEC, by default migration.yaml in the current folder, and `--environment`."""
    command = click.option(
        "-e", "--environment", metavar="NAME", help="Apply this overlay of the spec's `environments`."
    )(command)
    return click.argument(
        "spec",
        required=False,
        callback=_default_spec,
        type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
    )(command)


def format_option(command: F) -> F:
    """`--format text|json`: json prints one document on standard output, progress stays on standard error."""
    return click.option(
        "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Result as."
    )(command)


def aws_options(command: F) -> F:
    """`--profile`, `--region`, `--endpoint-url`, as users of AWS tools expect them."""
    command = click.option("--endpoint-url", metavar="URL", envvar="AWS_ENDPOINT_URL", help="Send calls here.")(command)
    command = click.option("--region", metavar="REGION", help="Must be the spec's region; given, it is checked.")(
        command
    )
    return click.option("--profile", metavar="NAME", envvar="AWS_PROFILE", help="Credentials to use.")(command)


def yes_option(command: F) -> F:
    """`--yes`: do not ask."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(command)

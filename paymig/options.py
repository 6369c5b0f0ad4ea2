"""The arguments and options that commands share."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from paymig.operation import Operation

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


_environment = click.option(
    "-e", "--environment", metavar="NAME", help="Apply this overlay of the spec's `environments`."
)
_spec_type = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


def spec_argument(command: F) -> F:
    """SPEC, by default migration.yaml in the current folder, and `--environment`."""
    return click.argument("spec", required=False, callback=_default_spec, type=_spec_type)(_environment(command))


def specs_argument(command: F) -> F:
    """One SPEC or more, by default migration.yaml in the current folder, and `--environment`."""

    def default(context: click.Context, parameter: click.Parameter, specs: tuple[Path, ...]) -> tuple[Path, ...]:
        return specs or (_default_spec(context, parameter, None),)

    return click.argument("specs", metavar="[SPEC]...", nargs=-1, callback=default, type=_spec_type)(
        _environment(command)
    )


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


def operation(command: Callable[..., Any] | None = None, *, stream: bool = False) -> Callable[..., Any]:
    """SPEC with the options of AWS and of the output; the command gets them as one `Operation`, its first argument.

    Args:
        command: what is decorated.
        stream: with `--format json`, print events as well, one JSON object a line, and the result as the last line.
    """
    if command is None:
        return lambda command: operation(command, stream=stream)

    @spec_argument
    @aws_options
    @format_option
    @wraps(command)
    def run(
        spec: Path,
        environment: str | None,
        profile: str | None,
        region: str | None,
        endpoint_url: str | None,
        output: str,
        **options: Any,
    ) -> Any:
        given = click.get_current_context().obj
        terms = given if isinstance(given, Mapping) else None
        return command(Operation(spec, environment, profile, region, endpoint_url, output, stream, terms), **options)

    return run


def yes_option(command: F) -> F:
    """`--yes`: do not ask."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(command)


def allow_replace_option(command: F) -> F:
    """`--allow-replace`: what holds state and may go all the same."""
    return click.option(
        "--allow-replace",
        metavar="LOGICAL_ID",
        multiple=True,
        help="This resource, such as Cluster or Database/Cluster, may be replaced or deleted with what it holds.",
    )(command)


def why_option(command: F) -> F:
    """`--why`: the operator's words for the journal."""
    return click.option("--why", metavar="TEXT", default="", help="Why, in your words; the journal keeps it.")(command)


def in_cloud_option(command: F) -> F:
    """`--in-cloud`: let Step Functions do the steps."""
    return click.option(
        "--in-cloud",
        "cloud",
        is_flag=True,
        help="Let Step Functions do it inside the VPC and watch it; it goes on when this machine does not.",
    )(command)

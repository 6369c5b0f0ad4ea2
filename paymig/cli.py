"""The `paymig` command: a lazy table of commands and the one boundary from exception to exit code."""

import atexit
import gc
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from paymig.stamp import Stamp

COMMANDS = {
    "init": "Write a first migration.yaml.",
    "check": "Check a spec and show every error at once.",
    "compile": "Compile a spec to CloudFormation templates and Lambda bundles.",
    "plan": "Show what a deploy would change, before any change set.",
    "evidence": "Show which resources speak for PCI DSS, requirement by requirement.",
    "policy": "Print the least IAM policy for an operator, a reviewer or CloudFormation.",
    "graph": "Draw the components and what flows between them.",
    "schema": "Print the JSON Schema of migration.yaml, for editors.",
    "preflight": "Look at both databases and show what would go wrong.",
    "deploy": "Deploy the stacks by change set and follow them to the end.",
    "replicate": "Make the target equal to the source and keep it so.",
    "compare": "Compare both databases row by row.",
    "status": "Show the stacks, the traffic and the alarms.",
    "transfer-schema": "Make the target's schema from the source's.",
    "shift": "Move a share of the traffic to AWS.",
    "switchover": "Move the writer to the target, in a pause of seconds.",
    "cutover": "Walk the whole cutover, from wherever it stands.",
    "approve": "Approve a step of the cutover.",
    "rollback": "Send all traffic back to the source, at once.",
    "finalize": "End the way back to the source, for good.",
    "history": "Show what was done, by whom and when.",
    "unlock": "End the lease of an operator who is gone.",
    "destroy": "Delete the stacks.",
    "rehearse": "Run the whole migration on this machine.",
    "runbook": "Write the runbook: each step, its command and the way back.",
}
"""Name and one line of each command; its module is `paymig.commands.<name>`, with _ for -, imported when called."""


_COLLECT_AFTER = 100_000  # new objects; Python's own 700 suits programs that keep little


class LazyGroup(click.Group):
    """A group that imports a command only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of a migration."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"paymig.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table, without importing them."""
        names = [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a mistyped one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            nearest = get_close_matches(args[0], COMMANDS, n=1)
            suggestion = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{suggestion}", ctx)
        return super().resolve_command(ctx, args)


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # costs 36 ms, so not at start-up

        click.echo(f"paymig {version('paymig')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 errors in the spec, 2 wrong usage, 3 refused, 4 not confirmed, 5 AWS, "
    "6 stack failed, 7 embedded services, 8 unhealthy or not shown, 130 interrupted.",
)
@click.option("--version", is_flag=True, callback=_show_version, expose_value=False, is_eager=True, help="Show it.")
@click.option("--debug", is_flag=True, envvar="PAYMIG_DEBUG", help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Move a live payment system from its own data centre to AWS without losing a payment.

    \b
    Rehearse on this machine:   paymig rehearse migration.yaml
    Deploy and move traffic:    paymig deploy; paymig shift --to 10
    """  # noqa: D301 - click wants the character itself


def main(args: list[str] | None = None, stamp: "Stamp | None" = None, terms: Mapping[str, Any] | None = None) -> None:
    """Run the command line; every expected error ends as a message and an exit code.

    Args:
        args: the command line without the program; by default this process's.
        stamp: where a command that can be known to change nothing leaves what it has read and written.
        terms: as of `Operation`, for the commands that have one.
    """
    arguments = sys.argv[1:] if args is None else args
    # A command makes few cycles: looking for them seldom, and not once more before the end, saves a tenth of a compile.
    gc.set_threshold(_COLLECT_AFTER)
    atexit.register(gc.freeze)
    try:
        result: Any = cli.main(args=arguments, prog_name="paymig", standalone_mode=False, obj=terms or stamp)
    except click.exceptions.Abort:
        _stop("Interrupted.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        from paymig.failures import explain

        if "--debug" in arguments or os.environ.get("PAYMIG_DEBUG"):
            raise
        explanation = explain(error)
        if explanation is None:
            raise
        _stop(*explanation)
    sys.exit(result if isinstance(result, int) else 0)


def _stop(message: str, exit_code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(exit_code)

"""`paymig rehearse`: the whole migration on this machine."""

from pathlib import Path

import click

from paymig.options import format_option, spec_argument


@click.command(epilog="Example: paymig rehearse specs/payments.yaml")
@spec_argument
@format_option
def command(spec: Path, environment: str | None, output: str) -> None:
    """Rehearse SPEC on this machine, against a real PostgreSQL, the real Lambda code and an embedded AWS.

    Compiles and deploys the stacks by change set, calls the API through the load balancer, shifts the traffic step by
    step, redeploys a changed spec in mid-shift, rolls back, looks every acknowledged payment up, and destroys it all.
    AWS is not contacted, and nothing is left behind.
    """
    from dataclasses import asdict

    from paymig.console import Console
    from paymig.errors import EmbeddedError

    try:
        from paymig.rehearsal.run import Rehearsal
    except ModuleNotFoundError as error:
        raise EmbeddedError(f"{error.name} is not installed", "pip install 'paymig[local]'") from error
    from schemas.load import load

    console = Console(output)
    report = Rehearsal(load(spec, environment), console).run()
    console.result(asdict(report) | {"seconds": report.seconds}, report.table())

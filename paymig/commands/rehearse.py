"""`paymig rehearse`: the whole migration on this machine, under load."""

from pathlib import Path

import click

from paymig.options import format_option, spec_argument

_UNPROVED = 1


@click.command(epilog="Example: paymig rehearse specs/payments.yaml --rate 100 --rows 200000")
@spec_argument
@click.option("--rate", default=50.0, show_default=True, help="Requests a second that clients send, on average.")
@click.option("--rows", default=20_000, show_default=True, help="Payments that stand in the source before.")
@click.option("--duration", default=6.0, show_default=True, help="Seconds that the longest bake lasts here.")
@click.option("--speed", default=600.0, show_default=True, help="How many times shorter bakes and the TTL are.")
@click.option("--seed", default=1, show_default=True, help="Of everything that is left to chance.")
@click.option(
    "--scenario",
    "scenario_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take the steps of this scenario's file; else the whole road to the end.",
)
@click.option("--fault", metavar="NAME", default="", help="Let this go wrong in the middle; an unknown one lists them.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, writable=True),
    help="Write the report there: one HTML page, JSON, and a picture.",
)
@format_option
def command(
    spec: Path,
    environment: str | None,
    rate: float,
    rows: int,
    duration: float,
    speed: float,
    seed: int,
    scenario_file: Path | None,
    fault: str,
    folder: Path | None,
    output: str,
) -> int:
    """Rehearse SPEC on this machine, against real PostgreSQL servers, the real Lambda code and an embedded AWS.

    Clients pay, refund, read and repeat against the old API and the new one, as the weighted record tells them, while
    the real commands deploy, replicate, shift the traffic step by step under the spec's gates, move the writer, and end
    the way back. At the end every acknowledged write is looked up in the writer. AWS is not contacted, and nothing is
    left behind. Exit code 0: every promise was kept; 1: not.
    """
    from paymig.console import Console
    from paymig.errors import EmbeddedError

    try:
        from paymig.rehearsal.run import Rehearsal
    except ModuleNotFoundError as error:
        raise EmbeddedError(f"{error.name} is not installed", "pip install 'paymig[local]'") from error
    from paymig.rehearsal.faults import FAULTS, sentence
    from paymig.rehearsal.options import Options
    from paymig.rehearsal.scenario import patched, read, whole, with_fault
    from paymig.rehearsal.view import table, view
    from schemas.load import load

    if fault and fault not in FAULTS:
        lines = "\n".join(f"  {name:<30}{sentence(name)}" for name in FAULTS)
        raise click.BadParameter(f"there is no fault {fault!r}; there are\n{lines}", param_hint="--fault")
    console = Console(output)
    options = Options(rate, rows, duration, speed, seed)
    loaded = load(spec, environment)
    scenario = read(scenario_file) if scenario_file else whole(loaded.migration, options)
    if scenario.patch:
        loaded = patched(loaded, scenario.patch, environment)
    if fault:
        scenario = with_fault(scenario, fault)
    with view(console) as shown:
        report = Rehearsal(loaded, scenario, options, shown, environment).run()
    if folder is not None:
        from paymig.rehearsal.page.write import write

        console.say(f"Report: {write(report, folder)}")
    console.result(report.to_json(), table(report))
    return 0 if report.kept else _UNPROVED

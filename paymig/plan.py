"""`paymig plan`: what a deploy would do to the stacks, and the refusal to lose what they hold."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.compile import Compiled
from compiler.linked import link
from compiler.parameters import SOURCE_ADMIN_SECRET_ARN, SOURCE_SECRET_ARN
from compiler.plan.change import Plan
from compiler.plan.compare import compare
from compiler.plan.sources import NotCompiled, folder_locator, locator, read_folder, templates_of
from compiler.plan.stateful import LOST, endangered
from paymig.console import Console
from paymig.errors import Refused
from paymig.plan_view import fate, text

if TYPE_CHECKING:
    from paymig.aws.session import Aws


def against_deployed(aws: "Aws", compiled: Compiled) -> Plan:
    """Compare a compiled spec with what is deployed; where nothing is, all of it is to be added.

    The parameters that a deploy passes are taken as they are deployed, the live weights too: a deploy keeps them.
    """
    from paymig.aws import deployed  # brings the SDK, for which a comparison of folders has no use

    there = deployed.read(aws, compiled.migration.full_name)
    locate = locator(compiled.source_map)
    if there is None:
        return compare({}, link(templates_of(compiled), {}), locate, locate)
    source = compiled.migration.source.database
    passed = {
        **there.parameters,
        SOURCE_ADMIN_SECRET_ARN.name: source.admin,
        SOURCE_SECRET_ARN.name: source.secret,
    }
    return compare(link(there.templates, there.parameters), link(templates_of(compiled), passed), locate, locate)


def against_folder(folder: Path, compiled: Compiled) -> Plan:
    """Compare a compiled spec with a folder that `paymig compile` wrote; what only a deploy passes is left out.

    Raises:
        Refused: the folder holds no whole compile.
    """
    locate = locator(compiled.source_map)
    try:
        old, locate_removed = link(read_folder(folder), {}), folder_locator(folder, locate)
    except NotCompiled as error:
        raise Refused(str(error), f"write one: paymig compile SPEC -o {folder}") from error
    return compare(old, link(templates_of(compiled), {}), locate, locate_removed)


def refuse(plan: Plan, allowed: Collection[str]) -> None:
    """Stop before something stateful is lost.

    Args:
        plan: what would be done.
        allowed: places or logical ids that may be replaced or deleted.

    Raises:
        Refused: it would, or could, happen to another.
    """
    lost = endangered(plan, allowed)
    if lost:
        lines = [f"  {change.place} ({change.type}): {fate(change)}; lost is {LOST[change.type]}" for change in lost]
        options = " ".join(f"--allow-replace {change.place}" for change in lost)
        raise Refused(
            "\n".join(["this would replace or delete what holds state:", *lines]),
            f"undo the change of the spec named above, or, when it is meant: {options}",
        )


def review(console: Console, plan: Plan, allowed: Collection[str]) -> None:
    """Show a plan as a step of a deploy, and stop before something stateful is lost.

    Raises:
        Refused: as for `refuse`.
    """
    console.say(text(plan))
    refuse(plan, allowed)

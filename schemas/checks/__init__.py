"""Checks of fields against each other and against what AWS allows."""

from collections.abc import Callable, Iterator

from schemas.checks import aws_limits, choices, cutover, files, network, ranges, routes, routing, validation
from schemas.diagnostics import Diagnostic
from schemas.spec import Spec

Check = Callable[[Spec], Iterator[Diagnostic]]
"""Looks at a spec of the right shape and yields what it finds; pure but for the files that the spec names."""

CHECKS: tuple[Check, ...] = (
    aws_limits.zones,
    aws_limits.engine_version,
    aws_limits.dms_class,
    aws_limits.names,
    aws_limits.secret_region,
    aws_limits.tags,
    choices.source_api,
    choices.source_authority,
    choices.source_network,
    choices.recipients,
    choices.extensions,
    choices.replication_engine,
    cutover.steps,
    cutover.pause,
    cutover.patience,
    cutover.bakes,
    cutover.gates,
    files.named_files,
    files.code,
    network.overlap,
    network.vpc_size,
    network.name_servers,
    network.public_data_centre,
    routes.apart,
    routes.limits,
    ranges.bounds,
    ranges.order,
    ranges.database_capacity,
    ranges.rate_window,
    ranges.access_logs,
    routing.cname_at_apex,
    validation.intervals,
    validation.invariant_names,
    validation.queries,
)
"""Every check that needs nothing but the spec and its folder."""

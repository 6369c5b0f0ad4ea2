"""From a spec, and the report of its last rehearsal, to the runbook."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from paymig.runbook.blocks import Block, Code, Drawing, Grid, Heading, Items, Text
from paymig.runbook.timetable import Stop, timetable, words
from schemas.load import Spec
from schemas.migration import Migration

_LONGEST = 12
"""Lines of what a command prints that are shown."""


def runbook(spec: Spec, rehearsal: Mapping[str, Any] | None, diagram: Drawing) -> list[Block]:
    """Write the runbook.

    Args:
        spec: the migration.
        rehearsal: what `paymig rehearse --report` left in rehearsal.json, or None.
        diagram: of the components.
    """
    migration = spec.migration
    stops = timetable(migration)
    return [
        Heading(1, f"Runbook: {migration.full_name} to AWS"),
        Text(
            f"Written from {spec.file}. The writer moves from PostgreSQL at {migration.source.database.host} to Aurora "
            f"PostgreSQL {migration.database.engine_version} in {migration.region}; {migration.routing.record} moves "
            f"from {_old(migration)} to the load balancer there. Strategy: {migration.cutover.strategy}."
        ),
        *_evidence(migration, rehearsal),
        Heading(2, "Contacts"),
        Text("Alarms and reports go, as the spec says, to:"),
        Grid(("How", "Whom"), [_recipient(one) for one in migration.monitoring.notify]),
        Text("To be filled in before the day:"),
        Grid(("Who", "Name", "Reached by"), [(role, "", "") for role in _roles(stops)]),
        Heading(2, "Before the day"),
        Items(_prerequisites(migration), boxes=True),
        Heading(2, "The picture"),
        diagram,
        Heading(2, "Timetable"),
        Text(
            "Waiting times as the spec has them, added up from the first move of traffic or the writer on. A rehearsal "
            "shortens them."
        ),
        _times(stops, rehearsal),
        Heading(2, "Go or no go"),
        Text("Before every step towards AWS, each of these holds; a value that is missing is not good."),
        Items(_gates(migration), boxes=True),
        Heading(2, "Step by step"),
        *(block for stop in stops for block in _step(stop, spec, rehearsal)),
        Heading(2, "The way back"),
        Grid(
            ("After", "Writer", "Traffic on AWS", "Back by", "What could be lost"),
            [(stop.name, stop.writer, f"{stop.traffic} %", stop.back, stop.lost) for stop in stops],
        ),
        Text(
            "paymig status says at any time who the writer is and where the traffic goes; paymig history, who did what."
        ),
    ]


def _old(migration: Migration) -> str:
    api = migration.source.api
    return api.hostname or ", ".join(str(address) for address in api.ip_addresses)


def _evidence(migration: Migration, rehearsal: Mapping[str, Any] | None) -> list[Block]:
    if rehearsal is None:
        return [Text("Not rehearsed: run paymig rehearse with --report, and write this again with --rehearsal.")]
    when = datetime.fromtimestamp(float(rehearsal["began"]), UTC).strftime("%d %B %Y, %H:%M UTC")
    other = "" if rehearsal["migration"] == migration.full_name else f" It rehearsed {rehearsal['migration']}."
    return [Text(f"Last rehearsed on {when}.{other} Its verdict: {rehearsal['verdict']}")]


def _recipient(one: Any) -> tuple[str, str]:
    return next((kind, str(value)) for kind in ("email", "https", "sms") if (value := getattr(one, kind)) is not None)


def _roles(stops: Sequence[Stop]) -> list[str]:
    approving = {stop.approval for stop in stops} - {"none"}
    return [
        "Takes the steps",
        *(["Approves, and takes none of them" if "second-person" in approving else "Approves"] if approving else []),
        "Knows the database and the network on premises",
        "Knows the old API and watches it",
        "Decides to go back",
    ]


def _prerequisites(migration: Migration) -> list[str]:
    database, network = migration.source.database, migration.source.network
    ttl = words(migration.routing.ttl)
    found = [
        f"The hosted zone {migration.routing.hosted_zone} exists and is delegated; the old record's TTL was lowered to "
        f"{ttl} a day before.",
        f"The secret {database.secret} holds the application's login: username, password, host and port.",
        f"The secret {database.admin} holds the login that owns the tables.",
        f"The data centre ({', '.join(map(str, network.cidrs))}) and {migration.network.cidr} reach each other.",
        "paymig preflight reports no error.",
        "paymig rehearse ends with the proof, with the very spec that is deployed.",
        "Everybody named under “Contacts” knows the date, and somebody can approve.",
    ]
    if database.tls.ca:
        found.append(f"{database.tls.ca} holds the authority of the source's certificate.")
    if migration.replication.engine == "logical":
        found.append("The source runs with wal_level = logical, and has a free slot and sender.")
    return found


def _times(stops: Sequence[Stop], rehearsal: Mapping[str, Any] | None) -> Grid:
    clock, rows, running = timedelta(), [], False
    for stop in stops:
        running = running or stop.command in ("shift", "switchover")
        found = _rehearsed(stop.command, stop.options, rehearsal) if rehearsal else None
        rows.append(
            (
                f"T + {words(clock)}" if running else "before",
                stop.name,
                words(stop.bake) if stop.bake else "-",
                f"{float(found['seconds']):.1f} s" if found else "-",
                stop.approval,
                f"{stop.traffic} %",
                stop.writer,
            )
        )
        if running:
            clock += stop.bake
    return Grid(("When", "Step", "Then wait", "Rehearsed in", "Approval", "Traffic on AWS", "Writer"), rows)


def _gates(migration: Migration) -> list[str]:
    gates = migration.cutover.gates
    return [
        f"Replication is at most {words(gates.replication_lag)} behind.",
        f"The last comparison found both databases equal, and is at most {words(gates.validation_age)} old.",
        "No alarm is firing." if gates.alarms == "none" else "Alarms are looked at by a person; the spec ignores them.",
        f"At most {gates.error_rate:g} % of the requests fail, of {gates.minimum_requests} or more.",
        f"Writes may pause for {words(migration.cutover.switchover.pause_budget)} at the switchover, and no longer.",
    ]


def _step(stop: Stop, spec: Spec, rehearsal: Mapping[str, Any] | None) -> list[Block]:
    blocks: list[Block] = [Heading(3, stop.name)]
    if stop.approval != "none":
        who = "somebody other than who takes the step" if stop.approval == "second-person" else "somebody"
        blocks.append(Text(f"Approval before it: {stop.approval}. To be typed by {who}:"))
        blocks += _typed("approve", f"--step {stop.approved_as}", spec, rehearsal)
    blocks += _typed(stop.command, stop.options, spec, rehearsal)
    if stop.bake:
        blocks.append(Text(f"Then watch for {words(stop.bake)}."))
    blocks.append(Text(f"Back: {stop.back}. What could be lost: {stop.lost}."))
    return blocks


def _typed(command: str, options: str, spec: Spec, rehearsal: Mapping[str, Any] | None) -> list[Block]:
    """Return a command, and what it printed in the last rehearsal."""
    line = f"paymig {command} {shlex.quote(spec.file)} {options}".strip()
    if rehearsal is None:
        return [Code(line, "sh")]
    found = _rehearsed(command, options, rehearsal)
    if found is None:
        return [Code(line, "sh"), Text("The last rehearsal did not type it.")]
    lines = str(found["output"]).splitlines()
    left_out = [f"... ({len(lines) - _LONGEST} lines before)"] if len(lines) > _LONGEST else []
    return [
        Code(line, "sh"),
        Text(f"In the last rehearsal it took {float(found['seconds']):.1f} s and printed:"),
        Code("\n".join([*left_out, *lines[-_LONGEST:]])),
    ]


def _rehearsed(command: str, options: str, rehearsal: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find the command among those of the rehearsal: the same words and options, with any spec."""
    wanted = ["paymig", *command.split()]
    given = [option.rstrip("%") for option in options.split()]
    for phase in rehearsal["phases"]:
        for typed in phase["commands"]:
            parts = shlex.split(str(typed["command"]))
            rest = [part.rstrip("%") for part in parts[len(wanted) + 1 :]]
            if parts[: len(wanted)] == wanted and all(option in rest for option in given) and typed["exit_code"] == 0:
                return typed  # type: ignore[no-any-return]
    return None

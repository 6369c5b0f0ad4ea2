"""Valid specs of every kind, for property tests, and the YAML that says them."""

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from schemas.checks.aws_limits import AURORA_VERSIONS, DMS_CLASSES, ZONES
from schemas.routes import priority
from schemas.units import format_duration, format_size

SPECS = Path(__file__).parent.parent / "specs"
"""The folder that the files named in a generated spec are relative to."""

_DAY = 86_400
_CAPACITY_UNITS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384)

names = st.from_regex(r"[a-z](?:[a-z0-9]{0,11}(?:-[a-z0-9]{1,10})?)?", fullmatch=True)
hostnames = st.from_regex(r"(?:[a-z](?:[a-z0-9-]{0,8}[a-z0-9])?\.){2}[a-z]{2,8}", fullmatch=True)
addresses = st.ip_addresses(v=4).map(str)


def durations(least: int, most: int, unit: int = 1) -> st.SearchStrategy[str]:
    """Durations in whole units; all three arguments in seconds."""
    whole = st.integers(-(-least // unit), most // unit)
    return whole.map(lambda count: format_duration(timedelta(seconds=count * unit)))


def sizes(least: int, most: int, unit: int) -> st.SearchStrategy[str]:
    """Sizes in whole units, `least` and `most` counted in them."""
    return st.integers(least, most).map(lambda count: format_size(count * unit))


def percentages(least: float, most: float) -> st.SearchStrategy[str]:
    """Percentages in hundredths."""
    hundredths = st.integers(round(least * 100), round(most * 100))
    return hundredths.map(lambda count: f"{count / 100:.2f}".rstrip("0").rstrip(".") + "%")


def _optional(**entries: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping of which any entry may be left out."""
    return st.fixed_dictionaries({}, optional=entries)


@st.composite
def _rising(draw: st.DrawFn, values: st.SearchStrategy[Any], least: str = "min", most: str = "max") -> dict[str, Any]:
    low, high = sorted(draw(st.tuples(values, values)))
    return {least: low, most: high}


def _sources(region: str) -> st.SearchStrategy[dict[str, Any]]:
    suffix = st.from_regex(r"[A-Za-z0-9]{6}", fullmatch=True)
    secret = suffix.map(lambda end: f"arn:aws:secretsmanager:{region}:111122223333:secret:onprem/payments-{end}")
    authority = st.just("onprem-ca.pem")
    verified = st.fixed_dictionaries(
        {"ca": authority}, optional={"mode": st.sampled_from(["verify-full", "verify-ca"])}
    )
    database = st.fixed_dictionaries(
        {
            "host": hostnames,
            "name": st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True),
            "secret": secret,
            "tls": st.one_of(verified, _optional(ca=authority).map(lambda tls: {"mode": "require"} | tls)),
        },
        optional={"port": st.integers(1, 65535), "admin_secret": secret},
    )
    api = st.one_of(
        st.fixed_dictionaries({"ip_addresses": st.lists(addresses, min_size=1, max_size=4, unique=True)}),
        st.fixed_dictionaries({"hostname": hostnames}),
    )
    cidrs = st.sampled_from([["192.168.0.0/16"], ["172.16.0.0/12"], ["192.168.1.0/24", "172.20.0.0/20"]])
    vpn = st.fixed_dictionaries({"customer_gateway_ip": addresses}, optional={"asn": st.integers(1, 4294967294)})
    gateway = st.sampled_from(["tgw-0123456789abcdef0", "tgw-01234567"])
    servers = st.lists(st.sampled_from(["192.168.0.53", "192.168.7.53"]), min_size=1, unique=True)
    network = st.one_of(
        st.fixed_dictionaries({"cidrs": cidrs, "transit_gateway": gateway}),
        st.fixed_dictionaries({"cidrs": cidrs, "vpn": vpn}),
        st.fixed_dictionaries({"cidrs": cidrs, "direct_connect_gateway": st.uuids().map(str)}),
        st.just({"cidrs": ["192.168.0.0/16"], "vpn": {"customer_gateway_ip": "203.0.113.12"}}).flatmap(
            lambda way: servers.map(lambda given: {**way, "dns_servers": given})
        ),
    )
    return st.fixed_dictionaries({"database": database, "api": api, "network": network})


@st.composite
def _networks(draw: st.DrawFn, most_zones: int) -> dict[str, Any]:
    zones = draw(st.integers(2, most_zones))
    prefix = draw(st.integers(16, 23 if zones <= 4 else 22))
    second, third = draw(st.integers(0, 255)), draw(st.integers(0, 255))
    third &= 256 - 2 ** max(0, 24 - prefix) if prefix > 16 else 0
    network = {"cidr": f"10.{second}.{third}.0/{prefix}", "availability_zones": zones}
    return network | draw(_optional(nat_gateways=st.sampled_from(["per-zone", "single"])))


_capacities = st.integers(2, 512).map(lambda halves: halves / 2)
_databases = _optional(
    engine_version=st.sampled_from(sorted(AURORA_VERSIONS)),
    name=st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True),
    capacity=_rising(_capacities) | st.just({"min": 0.5, "max": 1}),
    instances=st.integers(1, 16),
    backup_retention=durations(_DAY, 35 * _DAY, _DAY),
)


@st.composite
def _scalings(draw: st.DrawFn) -> dict[str, Any]:
    low, high, reserved = sorted(draw(st.lists(st.integers(1, 1000), min_size=3, max_size=3)))
    target = draw(_optional(target=percentages(10, 90)))
    return {"provisioned": {"min": low, "max": high} | target, "reserved": reserved}


@st.composite
def _routes(draw: st.DrawFn, counts: Sequence[int]) -> dict[str, Any]:
    """Routes in some order; the names are drawn in pairs of words that no priority is shared by."""
    count = draw(st.sampled_from(counts))
    first = draw(st.integers(0, 1000))
    chosen: dict[int, str] = {}
    for number in range(first, first + 2 * count + 1):
        name = f"service-r{number}"
        chosen.setdefault(priority(name), name)
    return {
        name: {"paths": [f"/{name}", f"/{name}/*"], "handler": "payment_api.handler.handler"}
        | draw(_optional(memory=sizes(128, 10240, 2**20), timeout=durations(30, 900), scaling=_scalings()))
        for name in draw(st.permutations(list(chosen.values())[:count]))
    }


def _apis(runtimes: Sequence[str], counts: Sequence[int]) -> st.SearchStrategy[dict[str, Any]]:
    return _optional(
        code=st.just("builtin:payment_api"),
        handler=st.just("payment_api.handler.handler"),
        runtime=st.sampled_from(runtimes),
        architecture=st.sampled_from(["arm64", "x86_64"]),
        memory=sizes(128, 10240, 2**20),
        # Longer than any pause below, so that held requests outlive it.
        timeout=durations(30, 900),
        scaling=_scalings(),
        routes=_routes(counts),
    )


_securities = _optional(
    waf=_optional(
        rate_limit=_optional(
            requests=st.integers(10, 2_000_000_000), window=st.sampled_from(["1m", "2m", "5m", "10m", "300s"])
        ),
        managed_rules=st.sampled_from(["default", "none"]),
    ),
    secret_rotation=durations(_DAY, 365 * _DAY, _DAY),
)

_patterns = st.lists(st.sampled_from(["public.%", "public.payments", "ledger.%", "public.tmp_%"]), unique=True)
_named = st.integers(1, 1000).map(lambda count: [f"ledger.entries_of_{number:04}" for number in range(count)])
_tables = st.fixed_dictionaries(
    {"include": st.just(["public.%"]) | _patterns.filter(bool) | _named}, optional={"exclude": _patterns}
)
_instances = _optional(
    **{"class": st.sampled_from(sorted(DMS_CLASSES)), "storage": sizes(5, 6144, 2**30), "multi_az": st.booleans()}
)
_large_objects = _optional(mode=st.sampled_from(["limited", "inline", "full"]), max=sizes(1, 100 * 1024, 2**10))
_replications = st.one_of(
    _optional(engine=st.just("dms"), instance=_instances, tables=_tables, large_objects=_large_objects),
    _optional(serverless=_rising(st.sampled_from(_CAPACITY_UNITS)), tables=_tables, large_objects=_large_objects),
    st.fixed_dictionaries({"engine": st.just("logical")}, optional={"tables": _tables}),
)

_queries = st.sampled_from(
    [
        "SELECT count(*) FROM payments",
        "SELECT currency, sum(amount) FROM payments WHERE status = 'captured; done' GROUP BY 1;",
        "WITH t AS (SELECT 1 AS one) SELECT one FROM t -- a note",
    ]
)


@st.composite
def _validations(draw: st.DrawFn) -> dict[str, Any]:
    every, full = sorted(draw(st.tuples(st.integers(1, 1440), st.integers(1, 10_000))))
    every = min(every, 1440)
    invariant_names = draw(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), max_size=4, unique=True))
    expect = _optional(expect=st.integers(0, 9) | st.just("same-on-both-sides"))
    invariants = [{"name": name, "sql": draw(_queries)} | draw(expect) for name in invariant_names]
    return {"every": f"{every}m", "full": f"{full}m", "invariants": invariants}


_recipients = st.one_of(
    st.just({"email": "payments-oncall@example.com"}),
    st.just({"https": "https://events.example.com/paymig"}),
    st.just({"sms": "+15555550100"}),
)


@st.composite
def _cutovers(draw: st.DrawFn) -> dict[str, Any]:
    window = draw(st.integers(3600, 90 * _DAY))
    approval = st.sampled_from(["none", "required", "second-person"])
    bake = durations(0, window)
    shares = draw(st.lists(st.integers(1, 99), max_size=5, unique=True).map(sorted))
    strategy = draw(st.sampled_from(["compute-first", "together"]))
    steps = [
        {"to": f"{share}%", "bake": draw(bake)} | draw(_optional(approval=approval))
        for share in [*(shares if strategy == "compute-first" else []), 100]
    ]
    switchover = _optional(pause_budget=durations(2, 29), sequence_gap=st.integers(1, 1_000_000), approval=approval)
    return {
        "strategy": strategy,
        "steps": steps,
        "switchover": draw(switchover),
        "rollback": {"window": format_duration(timedelta(seconds=window))} | draw(_optional(automatic=st.booleans())),
    }


@st.composite
def _watched(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gates and the alarms that are no tighter than they."""
    lags = sorted(draw(st.tuples(st.integers(1, 3600), st.integers(1, 3600))))
    rates = sorted(draw(st.tuples(st.integers(1, 99), st.integers(1, 99))))
    more = _optional(
        validation_age=durations(60, _DAY),
        alarms=st.sampled_from(["none", "any"]),
        minimum_requests=st.integers(0, 1_000_000),
    )
    gates = {"replication_lag": f"{lags[0]}s", "error_rate": f"{rates[0]}%"} | draw(more)
    alarms = {"replication_lag": f"{lags[1]}s", "error_rate": f"{rates[1]}%"}
    return gates, alarms | draw(_optional(p99_latency=durations(1, 30), slot_size=sizes(64, 10**6, 2**20)))


@st.composite
def specs(
    draw: st.DrawFn, runtimes: Sequence[str] = ("python3.12", "python3.13"), large: bool = True
) -> dict[str, Any]:
    """Data of a valid migration.yaml; every optional section is sometimes left out.

    Args:
        runtimes: which Lambda runtimes to use; compiling one needs its database driver at hand.
        large: whether forty functions and twenty environments occur.
    """
    region = draw(st.sampled_from(sorted(region for region, zones in ZONES.items() if zones >= 3)))
    gates, alarms = draw(_watched())
    spec = {
        "version": 1,
        "name": draw(names),
        "region": region,
        "source": draw(_sources(region)),
        "routing": draw(
            st.fixed_dictionaries(
                {"hosted_zone": st.from_regex(r"Z[A-Z0-9]{8,20}", fullmatch=True), "record": hostnames},
                optional={"ttl": durations(1, _DAY)},
            )
        ),
        "monitoring": {"notify": draw(st.lists(_recipients, min_size=1, max_size=3, unique_by=str)), "alarms": alarms},
        "cutover": draw(_cutovers()) | {"gates": gates},
    }
    optional = _optional(
        environment=names,
        tags=st.dictionaries(st.from_regex(r"[B-Z][a-z]{0,10}", fullmatch=True), st.just("value"), max_size=5),
        network=_networks(ZONES[region]),
        database=_databases,
        api=_apis(runtimes, (0, 0, 0, 1, 1, 2, 2, 40) if large else (0, 1)),
        load_balancer=_optional(
            access_logs=durations(365 * _DAY, 3650 * _DAY, _DAY), deletion_protection=st.booleans()
        ),
        security=_securities,
        replication=_replications,
        validation=_validations(),
        extensions=st.just({"database": {"patch": "patches/database.yaml"}}),
    )
    spec |= draw(optional)
    if draw(st.booleans()) and spec.get("environment", "prod") != "staging":
        others = draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 19])) if large else 0
        overlay = st.just({}) | st.just({"database": {"instances": 1}})
        spec["environments"] = {"staging": draw(overlay)} | {f"drill-{n}": draw(overlay) for n in range(others)}
    return spec


def yaml_text(data: Any, seed: int = 0) -> str:
    """Write data as YAML on flow and block lines, the keys of every mapping in an order drawn from the seed."""
    return "\n".join(_lines(data, random.Random(seed), 0)) + "\n"


def _lines(data: dict[str, Any], chance: random.Random, depth: int) -> list[str]:
    lines = []
    for key in chance.sample(list(data), len(data)):
        value = data[key]
        if isinstance(value, dict) and value and chance.random() < 0.7:
            lines += ["  " * depth + f"{_flow(key, chance)}:", *_lines(value, chance, depth + 1)]
        else:
            lines.append("  " * depth + f"{_flow(key, chance)}: {_flow(value, chance)}")
    return lines


def _flow(value: Any, chance: random.Random) -> str:
    if isinstance(value, dict):
        keys = chance.sample(list(value), len(value))
        return "{" + ", ".join(f"{_flow(key, chance)}: {_flow(value[key], chance)}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(entry, chance) for entry in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)

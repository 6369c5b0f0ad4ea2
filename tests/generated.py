"""Generated specs, compiled."""

from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from compiler.assets import authority_regions
from compiler.compile import Compiled, compile_spec
from compiler.components.replication import WITHOUT_DMS
from schemas.load import parse
from tests.strategies import SPECS, specs, yaml_text


def compilable(data: dict[str, Any]) -> bool:
    """Whether RDS publishes its authorities for the region, and CloudFormation builds what the spec replicates by."""
    logical = data.get("replication", {}).get("engine", "dms") == "logical"
    return data["region"] in authority_regions() and (logical or data["region"] not in WITHOUT_DMS)


compilable_specs = specs(runtimes=["python3.13"]).filter(compilable)
small_specs = specs(runtimes=["python3.13"], large=False).filter(compilable)
"""Without those of forty functions and twenty environments, for what takes long with each."""


def compile_data(data: dict[str, Any], seed: int = 0) -> Compiled:
    """Compile what stands in a YAML text whose order of keys is drawn from the seed."""
    return compile_spec(parse(yaml_text(data, seed), "migration.yaml", SPECS))


def drawn(count: int, number: int) -> list[dict[str, Any]]:
    """Return as many small specs, the same for the same seed."""
    found: list[dict[str, Any]] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    @given(small_specs)
    def gather(data: dict[str, Any]) -> None:
        found.append(data)

    gather()
    return found

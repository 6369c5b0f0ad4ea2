"""The plan shows every change, what it does and where it comes from, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from compiler.compile import Compiled, compile_spec, write
from compiler.linked import link
from compiler.plan import permissions, provider_schemas
from compiler.plan.change import Action, Change, Plan
from compiler.plan.compare import compare
from compiler.plan.replacements import FILE, Effect, effect_of, table
from compiler.plan.sources import NotCompiled, folder_locator, locator, read_folder, templates_of
from compiler.plan.stateful import LOST, endangered
from compiler.plan.wording import entries, shortened
from schemas.diagnostics import SpecError
from schemas.load import parse
from tests.generated import compilable_specs, compile_data
from tests.profiles import few
from tests.strategies import SPECS

TEXT = (SPECS / "payments.yaml").read_text()


def plan(old: Compiled, new: Compiled) -> Plan:
    return compare(
        link(templates_of(old), {}),
        link(templates_of(new), {}),
        locator(new.source_map),
        locator(old.source_map),
    )


def changed(*replaced: tuple[str, str]) -> Compiled:
    text = TEXT
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return compile_spec(parse(text, "migration.yaml", SPECS))


def by_place(found: Plan) -> dict[str, Change]:
    return {change.place: change for change in found.changes}


def line_of(part: str) -> int:
    return next(number for number, line in enumerate(TEXT.splitlines(), 1) if part in line)


def test_a_spec_against_itself_is_empty(compiled: Compiled) -> None:
    assert plan(compiled, compiled).changes == ()


@settings(max_examples=few(15))
@given(compilable_specs, st.integers(), st.integers())
def test_any_spec_against_itself_is_empty(data: dict[str, Any], one: int, other: int) -> None:
    """However its keys are ordered, and however the text is written."""
    assert plan(compile_data(data, one), compile_data(data, other)).changes == ()


def test_an_in_place_change_is_at_the_line_of_its_property(payments: Compiled) -> None:
    found = by_place(plan(payments, changed(("memory: 512MiB", "memory: 1GiB"))))
    [memory] = found["Api/Function"].properties
    assert (memory.path, memory.old, memory.new, memory.effect) == ("MemorySize", 512, 1024, Effect.IN_PLACE)
    assert (memory.cause.path, memory.cause.line) == ("api.memory", line_of("memory: 512MiB"))
    [added] = [change for change in found.values() if change.action is Action.ADD]
    [removed] = [change for change in found.values() if change.action is Action.REMOVE]
    assert added.type == removed.type == "AWS::Lambda::Version"
    [alias] = found["Api/Alias"].properties
    assert {added.cause.path, removed.cause.path, alias.cause.path} == {"api.memory"}
    assert found.keys() == {"Api/Function", "Api/Alias", added.place, removed.place}
    assert not [place for place in found if "/" not in place], "no nested stack is said to change"


def test_what_several_parts_make_names_each(payments: Compiled) -> None:
    [tag] = [
        one
        for one in by_place(plan(payments, changed(("environment: prod", "environment: live"))))[
            "Network/Vpc"
        ].properties
        if one.path == "Tags.Migration"
    ]
    assert [(one.path, one.line) for one in (tag.cause, *tag.cause.others)] == [
        ("name", line_of("name: payments")),
        ("environment", line_of("environment: prod")),
    ]


def test_what_refers_to_what_goes_comes_from_there(payments: Compiled) -> None:
    found = by_place(plan(payments, changed(("availability_zones: 3", "availability_zones: 2"))))
    [subnets] = found["Database/SubnetGroup"].properties
    assert (subnets.path, subnets.cause) == ("SubnetIds", found["Network/IsolatedSubnet3"].cause)


def test_a_create_only_property_replaces_and_all_that_hangs_on_it_follows(payments: Compiled) -> None:
    found = by_place(plan(payments, changed(("10.20.0.0/16", "10.21.0.0/16"))))
    assert found["Network/Vpc"].effect is Effect.REPLACEMENT
    assert found["Security/DatabaseGroup"].effect is Effect.REPLACEMENT
    [follows] = found["Security/DatabaseGroup"].properties
    assert (follows.path, follows.because) == ("VpcId", "Network/Vpc")
    assert follows.cause.path == "network.cidr"
    assert found["Database/Cluster"].effect is Effect.IN_PLACE, "its security group changes, no more"
    for change in found.values():
        for one in change.properties:
            assert one.because is None or found[one.because].effect > Effect.IN_PLACE


def test_a_replaced_subnet_group_replaces_the_database(payments: Compiled) -> None:
    """Nothing in the cluster's own template changes, and still it would be lost."""
    old, new = (link(templates_of(payments), {}) for _ in range(2))
    new["Database/SubnetGroup"].properties["DBSubnetGroupName"] = "other"  # type: ignore[index]
    locate = locator(payments.source_map)
    found = compare(old, new, locate, locate)
    [cluster] = [change for change in found.changes if change.place == "Database/Cluster"]
    assert cluster.effect is Effect.REPLACEMENT
    assert cluster.properties[0].because == "Database/SubnetGroup"
    # The instances in turn hang on the cluster.
    assert {change.place for change in endangered(found)} >= {"Database/Cluster", "Database/Instance1"}


def test_what_holds_state_is_endangered_until_it_is_named(payments: Compiled) -> None:
    found = plan(payments, changed(("availability_zones: 3", "availability_zones: 2")))
    places = {change.place for change in endangered(found)}
    addresses = {change.place for change in found.changes if change.type == "AWS::EC2::EIP"}
    assert addresses and addresses <= places
    assert not endangered(found, places)
    assert not endangered(found, {place.rpartition("/")[2] for place in places})
    assert {change.place for change in endangered(found, addresses)} == places - addresses


def test_a_renamed_database_is_endangered(payments: Compiled) -> None:
    found = plan(payments, changed(("name: payments, capacity", "name: other, capacity")))
    [cluster] = [change for change in endangered(found) if change.place == "Database/Cluster"]
    assert cluster.effect is Effect.REPLACEMENT
    assert "DatabaseName" in {one.path for one in cluster.properties}


def resource(type_: str, properties: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    content = {"Type": type_, "Properties": properties, **attributes}
    return {"root": {"Resources": {"It": content}}}


def tags(**values: Any) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def compared(old: dict[str, Any], new: dict[str, Any], payments: Compiled) -> Plan:
    locate = locator(payments.source_map)
    return compare(link(old, {}), link(new, {}), locate, locate)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"Port": 443}, {"Port": "443"}),
        ({"On": True}, {"On": "true"}),
        ({"Size": 1.0}, {"Size": 1}),
        ({"Tags": tags(a=1, b=2)}, {"Tags": tags(b="2", a="1")}),
        ({"Url": {"Fn::Sub": "x${AWS::Region}"}}, {"Url": {"Fn::Join": ["", ["x", {"Ref": "AWS::Region"}]]}}),
    ],
)
def test_what_means_the_same_is_no_change(old: dict[str, Any], new: dict[str, Any], payments: Compiled) -> None:
    assert not compared(resource("AWS::SNS::Topic", old), resource("AWS::SNS::Topic", new), payments).changes


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ({"Port": 443}, {"Port": 444}, "Port"),
        ({}, {"Port": 443}, "Port"),
        ({"Tags": tags(a="1")}, {"Tags": tags(a="2")}, "Tags.a"),
        ({"List": ["a", "b"]}, {"List": ["a", "c"]}, "List.1"),
        ({"List": ["a", "b"]}, {"List": ["b"]}, "List"),
        ({"A": {"B": [{"C": 1}]}}, {"A": {"B": [{"C": 2}]}}, "A.B.0.C"),
        ({"A": {"Ref": "AWS::Region"}}, {"A": {"Ref": "AWS::AccountId"}}, "A"),
    ],
)
def test_a_change_has_its_path(old: dict[str, Any], new: dict[str, Any], path: str, payments: Compiled) -> None:
    [change] = compared(resource("AWS::SNS::Topic", old), resource("AWS::SNS::Topic", new), payments).changes
    assert [one.path for one in change.properties] == [path]


def test_attributes_count_and_the_order_of_dependencies_does_not(payments: Compiled) -> None:
    kept = resource("AWS::SNS::Topic", {}, DeletionPolicy="Retain", DependsOn=["A", "B"])
    turned = resource("AWS::SNS::Topic", {}, DeletionPolicy="Retain", DependsOn=["B", "A"])
    assert not compared(kept, turned, payments).changes
    [change] = compared(kept, resource("AWS::SNS::Topic", {}, DependsOn=["A", "B"]), payments).changes
    assert [(one.path, one.effect) for one in change.properties] == [("DeletionPolicy", Effect.IN_PLACE)]
    [removed] = compared(kept, {"root": {"Resources": {}}}, payments).changes
    assert (removed.action, removed.retained) == (Action.REMOVE, True)


@pytest.mark.parametrize(
    ("type_", "path", "effect"),
    [
        ("AWS::RDS::DBCluster", ("EngineVersion",), Effect.IN_PLACE),
        ("AWS::RDS::DBCluster", ("StorageEncrypted",), Effect.REPLACEMENT),
        ("AWS::RDS::DBCluster", ("Engine",), Effect.POSSIBLE_REPLACEMENT),
        ("AWS::Route53::HealthCheck", ("HealthCheckConfig", "Type"), Effect.REPLACEMENT),
        ("AWS::Route53::HealthCheck", ("HealthCheckConfig",), Effect.REPLACEMENT),
        ("AWS::Route53::HealthCheck", ("HealthCheckConfig", "Port"), Effect.IN_PLACE),
        ("AWS::Unheard::Of", ("Anything",), Effect.POSSIBLE_REPLACEMENT),
        ("Custom::Own", ("Anything",), Effect.IN_PLACE),
    ],
)
def test_the_effect_is_the_provider_schemas(type_: str, path: tuple[str, ...], effect: Effect) -> None:
    assert effect_of(type_, path) is effect


def test_the_table_is_fresh() -> None:
    for name, row in ((FILE, provider_schemas.replacement), (permissions.FILE, provider_schemas.permission)):
        written = Path(provider_schemas.__file__).with_name(name).read_text()
        assert written == provider_schemas.text(row), "run python -m compiler.plan.provider_schemas"


def test_the_table_knows_every_type_in_use(compiled: Compiled) -> None:
    types = {found.type for found in link(templates_of(compiled), {}).values()}
    assert types <= table().keys()
    assert types & LOST.keys()


def test_a_folder_is_read_with_its_causes(payments: Compiled, tmp_path: Path) -> None:
    write(payments, tmp_path)
    new = changed(
        ("availability_zones: 3", "availability_zones: 2"), ("region: us-east-2", "# one more\nregion: us-east-2")
    )
    found = compare(
        link(read_folder(tmp_path), {}),
        link(templates_of(new), {}),
        locator(new.source_map),
        folder_locator(tmp_path, locator(new.source_map)),
    )
    gone = by_place(found)["Network/PrivateSubnet3"]
    assert gone.cause.file == payments.source_map.spec.file
    assert gone.cause.line == line_of("availability_zones: 3"), "where the older spec said it"
    (tmp_path / "source-map.json").unlink()
    otherwise = folder_locator(tmp_path, locator(new.source_map))
    again = compare(link(read_folder(tmp_path), {}), link(templates_of(new), {}), otherwise, otherwise)
    assert by_place(again)["Network/PrivateSubnet3"].cause.path == "network"


def test_a_folder_knows_every_cause_that_its_spec_knows(compiled: Compiled, tmp_path: Path) -> None:
    write(compiled, tmp_path)
    by_spec = locator(compiled.source_map)
    by_folder = folder_locator(tmp_path, lambda *_: pytest.fail("the folder has its own"))
    of_several = 0
    for resource in link(templates_of(compiled), {}).values():
        for path in ("", *dotted(resource.properties)):
            assert by_folder(resource, path) == by_spec(resource, path)
            of_several += bool(by_folder(resource, path).others)
    assert of_several


def dotted(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of everything below a value."""
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield f"{path}{key}"
            yield from dotted(below, f"{path}{key}.")


def test_a_folder_that_is_no_compile_is_refused(payments: Compiled, tmp_path: Path) -> None:
    with pytest.raises(NotCompiled, match=r"no manifest\.json"):
        read_folder(tmp_path)
    write(payments, tmp_path)
    (tmp_path / "templates" / "network.json").unlink()
    with pytest.raises(NotCompiled, match=r"no network\.json"):
        read_folder(tmp_path)
    (tmp_path / "templates" / "network.json").write_text("{")
    with pytest.raises(NotCompiled, match="is not JSON"):
        read_folder(tmp_path)


@settings(max_examples=few(15))
@given(st.data())
def test_every_change_has_a_cause(drawn: st.DataObject) -> None:
    """Part of a spec becomes as in another: each change names a part that differs, and no change is left out."""
    data, other = drawn.draw(compilable_specs), drawn.draw(compilable_specs)
    part = drawn.draw(st.sampled_from(sorted(parts(data, other))), "part")
    try:
        old, new = compile_data(data), compile_data(with_part(data, other, part.split(".")))
    except SpecError:
        reject()
    differing = set(differences(old.migration, new.migration))
    found = plan(old, new)
    for change in found.changes:
        for cause in (one.cause for one in change.properties or [change]):
            named = {place.path for place in (cause, *cause.others)}
            assert any(related(path, one) for path in named for one in differing), (change.place, named, differing)
    before, after = link(templates_of(old), {}), link(templates_of(new), {})
    places = {change.place for change in found.changes}
    assert places >= before.keys() ^ after.keys()
    for place in (before.keys() & after.keys()) - places:
        as_text = [json.dumps(linked[place].properties, sort_keys=True).replace(".0", "") for linked in (before, after)]
        assert as_text[0] == as_text[1], place


def parts(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted path of each part of two specs that may differ: a section, what is in it, and so on."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield f"{path}{key}"
            yield from parts(one.get(key), other.get(key), f"{path}{key}.")


def with_part(data: Any, other: Any, path: list[str]) -> Any:
    """Return data with one part as it is in another, or left out as it is there."""
    key, *rest = path
    if rest:
        return {**data, key: with_part(data[key], other[key], rest)}
    return {**{k: v for k, v in data.items() if k != key}, **({key: other[key]} if key in other else {})}


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted path of every value that differs."""
    one, other = (vars(value) if hasattr(value, "__dict__") else value for value in (one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path


def related(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def test_long_values_are_cut_to_where_they_differ() -> None:
    old, new = shortened("a" * 100 + "old", "a" * 100 + "new")
    assert old == "…" + "a" * 20 + "old" and new == "…" + "a" * 20 + "new"
    assert shortened({"Ref": "Network/Vpc"}, {"Fn::GetAtt": ["A/B", "Arn"]}) == ("${Network/Vpc}", "${A/B.Arn}")
    commas = {"Fn::Join": ["", [{"Ref": "A/B"}, ",", {"Ref": "A/C"}]]}
    assert entries(commas) == ["${A/B}", "${A/C}"]
    assert entries({"Fn::Join": ["", ["x", {"Ref": "A/B"}]]}) is None

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.compile import Compiled, compile_spec
from schemas.diagnostics import Diagnostic, SpecError
from schemas.load import load, parse
from tests.strategies import SPECS

pytestmark = pytest.mark.usefixtures("authority")


def compile_in(folder: Path, extensions: str) -> Compiled:
    text = (SPECS / "minimal.yaml").read_text() + f"\nextensions:\n  {extensions}\n"
    return compile_spec(parse(text, "migration.yaml", folder))


def refused(folder: Path, extensions: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        compile_in(folder, extensions)
    [found] = raised.value.diagnostics
    text = (SPECS / "minimal.yaml").read_text()
    assert found.line == len(text.splitlines()) + 3  # the extension's own line
    return found


def resource(compiled: Compiled, template: str, logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compiled.templates[template])["Resources"][logical_id]
    return found


def test_a_patch_is_merged_and_traced_back(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text(
        "Resources:\n"
        "  Cluster: {Properties: {PreferredMaintenanceWindow: 'sun:05:00-sun:06:00'}}\n"
        "  Notes: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Cluster}}\n"
        "Outputs: {Notes: {Value: !GetAtt Notes.Value}}\n"
    )
    compiled = compile_in(tmp_path, "database: {patch: patch.yaml}")
    cluster = resource(compiled, "database", "Cluster")
    assert cluster["Properties"]["PreferredMaintenanceWindow"] == "sun:05:00-sun:06:00"
    assert cluster["Properties"]["Engine"] == "aurora-postgresql"
    assert resource(compiled, "database", "Notes")["Properties"]["Value"] == {"Ref": "Cluster"}
    trace = compiled.source_map.path
    assert trace("database", "Notes") == "extensions.database.patch"
    assert trace("database", "Cluster", "PreferredMaintenanceWindow") == "extensions.database.patch"
    assert trace("database", "Cluster", "ServerlessV2ScalingConfiguration.MinCapacity") == "database.capacity"


def test_a_component_with_two_words_is_patched_by_its_name_with_a_hyphen(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text("Resources: {LoadBalancer: {Properties: {IpAddressType: dualstack}}}\n")
    compiled = compile_in(tmp_path, "load-balancer: {patch: patch.yaml}")
    assert resource(compiled, "load_balancer", "LoadBalancer")["Properties"]["IpAddressType"] == "dualstack"


def test_a_patch_of_the_api_publishes_a_new_version(tmp_path: Path) -> None:
    """Otherwise the alias, which takes the traffic, would stay with the settings it had."""
    patch = "Resources: {{Function: {{Properties: {{{} }}}}}}\n"
    versions = []
    for change in ("MemorySize: 1024", "MemorySize: 2048"):
        (tmp_path / "patch.yaml").write_text(patch.format(change))
        compiled = compile_in(tmp_path, "api: {patch: patch.yaml}")
        alias = resource(compiled, "api", "Alias")["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        assert resource(compiled, "api", alias)["Type"] == "AWS::Lambda::Version"
        assert compiled.source_map.path("api", alias) == "api"
        versions.append(alias)
    assert len(set(versions)) == 2
    (tmp_path / "patch.yaml").write_text(patch.format("ReservedConcurrentExecutions: 7"))
    untouched = json.loads(compile_in(tmp_path, "api: {patch: patch.yaml}").templates["api"])["Resources"]
    plain = json.loads(compile_spec(load(SPECS / "minimal.yaml")).templates["api"])["Resources"]
    assert untouched.keys() == plain.keys()


def test_an_own_stack_is_nested(tmp_path: Path) -> None:
    (tmp_path / "audit.yaml").write_text("Resources:\n  Topic: {Type: AWS::SNS::Topic}\n")
    compiled = compile_in(tmp_path, "audit-trail: {stack: audit.yaml}")
    stack = resource(compiled, "root", "AuditTrail")
    assert stack["Properties"]["TemplateURL"]["Fn::Sub"].endswith(compiled.keys["audit-trail"])
    assert json.loads(compiled.templates["audit-trail"])["Resources"] == {"Topic": {"Type": "AWS::SNS::Topic"}}
    assert compiled.source_map.path("audit-trail", "Topic") == "extensions.audit-trail.stack"


@pytest.mark.parametrize(
    ("extension", "content", "code", "said"),
    [
        ("databse: {patch: file.yaml}", "Resources: {}", "PMG312", "there is no component databse"),
        ("database: {patch: file.yaml}", "- 1", "PMG312", "not a mapping"),
        ("database: {patch: file.yaml}", "Conditions: {A: {}}", "PMG312", "Conditions"),
        ("database: {patch: file.yaml}", "Resources: 7", "PMG312", "Resources"),
        ("database: {patch: file.yaml}", "Resources: {", "PMG312", "not YAML"),
        ("database: {patch: file.yaml}", "{}", "PMG312", "patches nothing"),
        ("database: {patch: file.yaml}", "Resources: {}", "PMG312", "patches nothing"),
        ("database: {patch: file.yaml}", "Resources: {Cluster: 5}", "PMG312", "Cluster in file.yaml is not a mapping"),
        ("database: {patch: file.yaml}", "Resources: {Cluster: }", "PMG312", "Cluster in file.yaml is not a mapping"),
        ("database: {patch: file.yaml}", "Resources: {Cluster: {}}", "PMG312", "leaves Cluster as it is"),
        (
            "database: {patch: file.yaml}",
            "Resources: {Cluster: {Properties: {Engine: aurora-postgresql}}}",
            "PMG312",
            "leaves Cluster as it is",
        ),
        ("database: {patch: file.yaml}", "Resources: {Clustr: {Properties: {A: 1}}}", "PMG312", "there is no Clustr"),
        ("database: {patch: file.yaml}", "Outputs: {Endpoints: {Description: x}}", "PMG312", "there is no Endpoints"),
        ("api: {stack: file.yaml}", "Resources: {A: {Type: 'AWS::SNS::Topic'}}", "PMG313", "component's name"),
        ("audit: {stack: file.yaml}", "Resources: {}", "PMG313", "no resources"),
        (
            "audit: {stack: file.yaml}",
            "{Parameters: {Name: {Type: String}}, Resources: {A: {Type: 'AWS::SNS::Topic'}}}",
            "PMG313",
            "Name",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_line(
    tmp_path: Path, extension: str, content: str, code: str, said: str
) -> None:
    (tmp_path / "file.yaml").write_text(content)
    found = refused(tmp_path, extension)
    assert found.code == code
    assert said in found.message


def test_a_template_over_the_limits_is_refused(tmp_path: Path) -> None:
    topics = {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(501)}
    (tmp_path / "large.json").write_text(json.dumps({"Resources": topics}))
    found = refused(tmp_path, "large: {stack: large.json}")
    assert found.code == "PMG310"
    assert "501 resources" in found.message

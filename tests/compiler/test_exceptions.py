"""Exceptions from the rules of scanners: listed, where they are written, and about something that exists."""

import fnmatch
import json
from fnmatch import fnmatchcase
from typing import Any

from compiler.bootstrap import bootstrap
from compiler.compile import compile_spec
from compiler.exceptions import EXEMPTIONS, FILE, metadata, page
from schemas.load import parse
from tests.examples import SPECS
from tests.scan.policies import ACCEPTED
from tests.scan.scanners import ALTERNATIVES


def every(templates: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each resource as Component.LogicalId."""
    named = {**templates, "bootstrap": json.loads(bootstrap())}
    return {
        f"{name.title().replace('_', '')}.{logical_id}": resource
        for name, template in named.items()
        for logical_id, resource in template["Resources"].items()
    }


def rules(resource: dict[str, Any]) -> set[str]:
    written = resource.get("Metadata", {})
    entries = [entry for part in written.values() for listed in part.values() for entry in listed]
    assert all(entry.get("reason") or entry.get("comment") for entry in entries)
    return {entry["id"] for entry in entries}


def test_the_page_lists_them() -> None:
    assert FILE.read_text() == page()


def test_the_page_lists_what_is_accepted_of_printed_policies() -> None:
    said = page().partition("\n## ")[0]
    beside = {"UNKNOWN_ACTION", "RESOURCE_MISMATCH"}
    for one in {*ACCEPTED, *beside, *(action for action, _ in ALTERNATIVES)}:
        assert f"`{one}`" in said


def test_each_stands_in_the_metadata_of_its_resource_and_nowhere_else(templates: dict[str, dict[str, Any]]) -> None:
    resources = every(templates)
    for name, resource in resources.items():
        expected = {
            rule.replace("<Migration>", "payments-prod")
            for exemption in EXEMPTIONS.get(resource["Type"], ())
            if (not exemption.only or any(fnmatchcase(name, one) for one in exemption.only))
            and (not exemption.having or exemption.having in resource["Properties"])
            and (exemption.when is None or exemption.when(resource["Properties"]))
            for rule in exemption.rules
        }
        assert rules(resource) == expected
    for kind, exemptions in EXEMPTIONS.items():
        for exemption in exemptions:
            for name in exemption.only:
                assert {resources[found]["Type"] for found in fnmatch.filter(resources, name)} == {kind}


def test_what_the_spec_turns_off_is_an_exception_there_alone(templates: dict[str, dict[str, Any]]) -> None:
    asked = """
load_balancer: {deletion_protection: false}
security: {waf: {managed_rules: none}}
"""
    off = compile_spec(parse((SPECS / "minimal.yaml").read_text() + asked, "migration.yaml", SPECS))
    resources = json.loads(off.templates["load_balancer"])["Resources"]
    for name, rule in (("LoadBalancer", "NIST.800.53.R5-ELBDeletionProtectionEnabled"), ("Firewall", "CKV_AWS_192")):
        assert rule in rules(resources[name])
        assert rule not in rules(templates["load_balancer"]["Resources"][name])


def test_a_resource_that_follows_every_rule_has_no_metadata(templates: dict[str, dict[str, Any]]) -> None:
    from troposphere.sns import Topic

    assert metadata("Monitoring", Topic("Topic")) == {}
    assert "Metadata" not in templates["monitoring"]["Resources"]["Topic"]

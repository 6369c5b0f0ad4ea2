"""A record that its hosted zone cannot hold stops a plan and a deploy, which have made nothing by then."""

import shutil
from itertools import pairwise

import pytest

from paymig.aws.session import Aws
from paymig.cli import main
from paymig.errors import AwsError
from tests.paymig.faults import Faults
from tests.paymig.paying import SPECS

RECORD = "record: api.payments.example.com"
ZONE = "hosted_zone: Z0123456789ABCDEFGHIJ"


@pytest.mark.parametrize(
    ("changes", "said", "at"),
    [
        (
            {RECORD: "record: mypayments.example.com"},
            "error[PMG220]: mypayments.example.com is not in the zone payments.example.com of Z0123456789ABCDEFGHIJ",
            "mypayments.example.com",
        ),
        (
            {RECORD: "record: payments.example.com", "ip_addresses: [198.51.100.10]": "hostname: old.example.com"},
            "error[PMG219]: payments.example.com is the apex of its zone and cannot be a CNAME to old.example.com",
            "payments.example.com",
        ),
        (
            {ZONE: "hosted_zone: Z9876543210"},
            "error[PMG224]: this account has no hosted zone Z9876543210",
            "Z9876543210",
        ),
    ],
    ids=["beside the zone", "at its apex", "no zone"],
)
def test_what_the_zone_cannot_hold_is_refused_before_anything_is_made(
    stage, monkeypatch, tmp_path, capsys, changes, said, at
):
    shutil.copytree(SPECS, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "minimal.yaml"
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    for words in (["plan"], ["deploy", "--yes"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, str(file)])
        told = capsys.readouterr()
        assert (ended.value.code, told.out) == (1, "")
        assert said in told.err
        shown, marked = next((line, below) for line, below in pairwise(told.err.splitlines()) if "^" in below)
        assert shown[marked.index("^") : marked.rindex("^") + 1] == at
    assert stage.aws.client("cloudformation").list_stacks()["StackSummaries"] == []
    assert stage.aws.client("s3").list_buckets()["Buckets"] == []


def test_a_zone_that_route_53_refuses_to_show_may_be_another_accounts(stage, monkeypatch, capsys):
    """It answers so of any zone that is not the account's own, and where the identity may not ask."""
    for name, value in stage.embedded.environment().items():
        monkeypatch.setenv(name, value)
    armed = []
    make = Aws.__init__

    def make_failing(aws, *arguments, **given):
        make(aws, *arguments, **given)
        armed.append(Faults(aws))
        armed[-1].arm(0, "denied")

    monkeypatch.setattr(Aws, "__init__", make_failing)
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(SPECS / "minimal.yaml")])
    assert armed[0].calls[0] == "route-53.GetHostedZone"
    assert ended.value.code == AwsError.exit_code
    said = " ".join(capsys.readouterr().err.split())
    assert "is another account's, or the identity in use lacks route53:GetHostedZone" in said
    assert "not authorized to perform this action" in said and "list-hosted-zones" in said

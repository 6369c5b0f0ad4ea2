"""Every resource type the templates use exists here, is visible through its service, and goes away."""

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

from compiler.bootstrap import bootstrap
from compiler.compile import compile_spec
from schemas.load import parse
from tests.embedded import probes_data, probes_network, probes_policies, probes_run
from tests.embedded.contract import Probe, att, resource
from tests.strategies import SPECS

PROBES = [*probes_network.PROBES, *probes_data.PROBES, *probes_run.PROBES, *probes_policies.PROBES]


def _ids(probe: Probe) -> str:
    return probe.name


def _seen(probe: Probe, client, it: str) -> bool:
    """Whether the service shows it; an error that says "not found" is a no."""
    try:
        return bool(probe.seen(client, it))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        missing = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        if missing or any(
            word in code for word in ("NotFound", "NoSuch", "NonExistent", "Nonexistent", "DoesNotExist")
        ):
            return False
        raise


@pytest.fixture(scope="module")
def layer(aws) -> None:
    """The code of a layer, which a template can only name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/probe.py", "")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=probes_policies.LAYER_BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=probes_policies.LAYER_BUCKET, Key=probes_policies.LAYER_KEY, Body=content.getvalue())


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize("probe", PROBES, ids=_ids)
def test_type(aws, deploy, probe: Probe) -> None:
    outputs = {f"A{index}": att("It", name) for index, name in enumerate(probe.attributes)}
    stack = deploy(probe.resources, **outputs)
    assert stack.status == "CREATE_COMPLETE", stack.failures()
    assert all(stack.outputs.values())
    it = stack.ref("It")
    assert _seen(probe, aws.client, it)
    assert stack.apply(probe.resources | {"More": resource("SNS::Topic")}) == "UPDATE_COMPLETE", stack.failures()
    assert stack.ref("It") == it
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert not _seen(probe, aws.client, it)


def test_an_unknown_type_is_refused(aws) -> None:
    cfn = aws.client("cloudformation")
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        cfn.create_stack(StackName="unknown", TemplateBody='{"Resources": {"It": {"Type": "AWS::Imaginary::Thing"}}}')


def test_every_type_of_the_compiled_templates_is_probed() -> None:
    """The examples, and the shapes that bring other types in: a VPN, DMS Serverless, logical replication."""
    text = (SPECS / "minimal.yaml").read_text()
    vpn = text.replace("transit_gateway: tgw-0123456789abcdef0", "vpn: {customer_gateway_ip: 203.0.113.12}")
    assert vpn != text
    shapes = [
        (SPECS / "payments.yaml").read_text(),
        text,
        vpn,
        vpn.replace("vpn:", "dns_servers: [192.168.0.53]\n    vpn:"),
        text + "replication: {engine: logical}\n",
        text + "replication: {serverless: {min: 1, max: 2}}\n",
    ]
    compiled = [compile_spec(parse(shape, "migration.yaml", SPECS)).templates for shape in shapes]
    bodies = [json.loads(body) for templates in compiled for body in templates.values()] + [json.loads(bootstrap())]
    used = {found["Type"] for body in bodies for found in body["Resources"].values()}
    probed = {probe.resources["It"]["Type"] for probe in PROBES}
    assert used - probed - {"AWS::CloudFormation::Stack"} == set()

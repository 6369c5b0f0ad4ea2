"""Every resource type the templates use exists here, is visible through its service, and goes away."""

import pytest
from botocore.exceptions import ClientError

from tests.embedded import probes_data, probes_network, probes_run
from tests.embedded.contract import Probe, att, resource

PROBES = [*probes_network.PROBES, *probes_data.PROBES, *probes_run.PROBES]


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

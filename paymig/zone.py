"""The record against its hosted zone: what Route 53 would refuse only when all else is made."""

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of
from paymig.errors import AwsError
from schemas.checks.routing import against_zone
from schemas.diagnostics import SpecError
from schemas.spec import Spec


def refuse_misplaced_record(aws: Aws, spec: Spec) -> None:
    """Ask Route 53 for the zone that the spec names, and stop where it can't hold the record.

    Raises:
        SpecError: there is no such zone, or the record does not belong into it.
        AwsError: Route 53 does not say; of a zone of another account it doesn't either.
    """
    found = tuple(against_zone(spec, _name(aws, spec.migration.routing.hosted_zone)))
    if found:
        raise SpecError(found, {spec.file: spec.text})


def _name(aws: Aws, hosted_zone: str) -> str | None:
    """Read a zone's name; None where there is none of that id."""
    try:
        return str(aws.client("route53").get_hosted_zone(Id=hosted_zone)["HostedZone"]["Name"])
    except ClientError as error:
        if code_of(error) == "NoSuchHostedZone":
            return None
        if code_of(error) == "AccessDenied":
            raise AwsError(
                f"hosted zone {hosted_zone} is another account's, or the identity in use lacks route53:GetHostedZone: "
                f"{error}",
                "aws route53 list-hosted-zones shows which zones this account has, and aws sts get-caller-identity "
                "the account and the identity",
            ) from error
        raise

"""One operator's access to one AWS region."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from paymig.errors import Refused

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
    user_agent_extra="paymig",
)


def code_of(error: ClientError) -> str:
    """Return AWS's code of an error, such as `ValidationError`."""
    return error.response.get("Error", {}).get("Code", "")


class Aws:
    """Clients of one region, made once each.

    Args:
        region: the region of the spec.
        profile: a profile of the AWS configuration, or None for the default chain.
        endpoint_url: where every call goes instead of AWS, or None.
        credentials: an access key and its secret, or None for the profile's.
    """

    def __init__(
        self,
        region: str,
        profile: str | None = None,
        endpoint_url: str | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        key, secret = credentials or (None, None)
        self.region = region
        self.endpoint_url = endpoint_url
        self._session = boto3.Session(
            profile_name=profile, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret
        )
        self.client = cache(self._make_client)
        self.caller = cache(self._ask_caller)

    @classmethod
    def for_spec(cls, spec_region: str, profile: str | None, region: str | None, endpoint_url: str | None) -> "Aws":
        """Open the spec's region.

        Raises:
            Refused: `--region` names another region than the spec.
        """
        if region not in (None, spec_region):
            raise Refused(
                f"--region {region} is not the spec's region {spec_region}", "leave --region out, or change the spec"
            )
        return cls(spec_region, profile, endpoint_url)

    def _make_client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self.endpoint_url, config=_CONFIG)  # type: ignore[call-overload]

    def _ask_caller(self) -> str:
        """Return the ARN that AWS knows the operator by."""
        return str(self.client("sts").get_caller_identity()["Arn"])

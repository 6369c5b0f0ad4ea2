"""From an exception to what the operator reads and the exit code of the command."""

import sys
from collections.abc import Mapping
from typing import Any

from paymig.errors import AwsError, PaymigError, Refused


def explain(error: Exception) -> tuple[str, int] | None:
    """Word an expected error.

    Returns:
        The text for the terminal and the exit code, or None for a defect of paymig itself.
    """
    if "schemas.diagnostics" in sys.modules:
        from schemas.diagnostics import SpecError, render_text

        if isinstance(error, SpecError):
            return render_text(error.diagnostics, error.sources, color=sys.stderr.isatty()), 1
    if (aws_error := from_botocore(error)) is not None:
        error = aws_error
    if "runtime_lambdas.runtime.refused" in sys.modules:
        from runtime_lambdas.runtime import refused

        if isinstance(error, refused.Refused):
            error = Refused(error.message, error.hint)
    if isinstance(error, PaymigError):
        hint = f"\n  hint: {error.hint}" if error.hint else ""
        return f"error: {error.message}{hint}", error.exit_code
    return None


def from_botocore(error: Exception) -> AwsError | None:
    """Word an error of the AWS SDK; None for any other error."""
    if "botocore" not in sys.modules:
        return None
    from botocore import exceptions as aws

    if isinstance(error, aws.ClientError):
        return _from_response(error.response.get("Error", {}), error.operation_name)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.ProfileNotFound):
        return AwsError(f"no AWS credentials: {error}", "set AWS_PROFILE, or run: aws sso login")
    if isinstance(error, aws.TokenRetrievalError | aws.SSOTokenLoadError | aws.UnauthorizedSSOTokenError):
        return AwsError(f"the AWS sign-in has expired: {error}", "run: aws sso login")
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return AwsError(f"AWS cannot be reached: {error}", "check the network, --region and --endpoint-url")
    if isinstance(error, aws.BotoCoreError):
        return AwsError(str(error))
    return None


_HINTS = {
    "AccessDenied": "the identity in use lacks this permission: `aws sts get-caller-identity` shows which it is",
    "ExpiredToken": "sign in again: aws sso login",
    "RequestExpired": "sign in again, and check this machine's clock",
    "Throttling": "AWS asks to slow down: run the same command again",
    "InvalidClientTokenId": "the access key is unknown: check AWS_PROFILE",
}


def _from_response(error: Mapping[str, Any], operation: str) -> AwsError:
    code = error.get("Code", "unknown")
    hint = next((text for key, text in _HINTS.items() if code.startswith(key)), None)
    return AwsError(f"AWS refused {operation}: {code}: {error.get('Message', '')}".rstrip(": "), hint)

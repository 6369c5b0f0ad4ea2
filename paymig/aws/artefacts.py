"""Templates and bundles in the artefact bucket, under keys that name their content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from paymig.aws.session import Aws, code_of


@dataclass(frozen=True)
class Upload:
    """What an upload did."""

    sent: tuple[str, ...]
    already_there: int


def upload(aws: Aws, bucket: str, objects: Mapping[str, Callable[[], bytes]]) -> Upload:
    """Bring objects into the bucket; one that is there already is not sent again.

    Args:
        aws: where.
        bucket: its name.
        objects: for each key, how to get the bytes, asked for only when they are sent.

    A key holds the hash of its content, so whoever wrote it first wrote the same bytes.
    """
    sent = tuple(
        key for key, read in sorted(objects.items()) if not _exists(aws, bucket, key) and _put(aws, bucket, key, read())
    )
    return Upload(sent, len(objects) - len(sent))


def _exists(aws: Aws, bucket: str, key: str) -> bool:
    try:
        aws.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def _put(aws: Aws, bucket: str, key: str, body: bytes) -> bool:
    try:
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", ChecksumAlgorithm="SHA256")
    except ClientError as error:
        if code_of(error) == "PreconditionFailed":  # another deploy was faster
            return False
        raise
    return True

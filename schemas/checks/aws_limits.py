"""What AWS offers and allows: zones, versions, classes, names, tags."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.diagnostics import Diagnostic, Severity
from schemas.spec import Spec
from schemas.words import quote

# The zones that cfn-lint 1.58 knows of for each region.
_REGIONS = {
    2: "us-west-1",
    3: "af-south-1 ap-east-1 ap-east-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 "
    "ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-west-1 cn-north-1 cn-northwest-1 "
    "eu-central-1 eu-central-2 eu-isoe-west-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 "
    "eusc-de-east-1 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-2 us-gov-east-1 us-gov-west-1 "
    "us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1",
    4: "ap-northeast-1 ap-northeast-2 ca-central-1 us-west-2",
    6: "us-east-1",
}
ZONES: Mapping[str, int] = MappingProxyType(
    {region: count for count, regions in _REGIONS.items() for region in regions.split()}
)
"""How many availability zones a region has."""

# What cfn-lint 1.58 lists for aurora-postgresql and does not call deprecated. Serverless v2 starts at 13.6.
_MINORS = {
    13: (9, 23),
    14: (6, 17, 18, 19, 20, 22, 23, 24),
    15: (10, 12, 13, 14, 15, 17, 18, 19),
    16: (8, 9, 10, 11, 13, 14, 15),
    17: (4, 5, 6, 7, 9, 10, 11),
    18: (3, 4, 6),
}
AURORA_VERSIONS = tuple(f"{major}.{minor}" for major, minors in _MINORS.items() for minor in minors)
"""PostgreSQL versions that Aurora offers, oldest first."""

# The AWS DMS user guide, "Choosing the right AWS DMS replication instance".
_SIZES = {
    "t2": "micro small medium large",
    "t3": "micro small medium large",
    "c4": "large xlarge 2xlarge 4xlarge",
    "c5": "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge",
    "c6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "c7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "r4": "large xlarge 2xlarge 4xlarge 8xlarge",
    "r5": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "r6i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge",
    "r7i": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
}
DMS_CLASSES = frozenset(f"dms.{family}.{size}" for family, sizes in _SIZES.items() for size in sizes.split())
"""Classes of provisioned DMS instances."""

MOST_TAGS = 40
"""Of the 50 that AWS allows, ten are left to paymig and CloudFormation."""


def zones(spec: Spec) -> Iterator[Diagnostic]:
    """A region has so many zones and no more; an unknown region may be new, hence only a warning."""
    region, wanted = spec.migration.region, spec.migration.network.availability_zones
    available = ZONES.get(region)
    if available is None:
        hint = "check its name; a region that is really new is deployed as it is"
        yield spec.finding("PMG302", "region", f"the region {region} is not known", hint, Severity.WARNING)
    elif wanted > available:
        written = ("network", "availability_zones") in spec.positions
        message = f"{wanted} availability zones are more than the {available} of {region}"
        hint = f"write availability_zones: {available} or fewer, or choose another region"
        yield spec.finding("PMG301", "network.availability_zones" if written else "region", message, hint)


def engine_version(spec: Spec) -> Iterator[Diagnostic]:
    """Aurora offers some PostgreSQL versions."""
    version = spec.migration.database.engine_version
    if version not in AURORA_VERSIONS:
        major = version.split(".")[0]
        offered = [known for known in AURORA_VERSIONS if known.split(".")[0] == major] or AURORA_VERSIONS
        message = f"Aurora does not offer PostgreSQL {version}"
        hint = f"choose one of {', '.join(offered)}"
        yield spec.finding("PMG303", "database.engine_version", message, hint)


def dms_class(spec: Spec) -> Iterator[Diagnostic]:
    """DMS has some instance classes."""
    instance = spec.migration.replication.instance
    if instance is not None and instance.instance_class not in DMS_CLASSES:
        family = instance.instance_class.split(".")[1]
        sizes = _SIZES.get(family)
        hint = f"{family} has the sizes {sizes.replace(' ', ', ')}" if sizes else f"families are {', '.join(_SIZES)}"
        message = f"DMS has no instance class {instance.instance_class}"
        yield spec.finding("PMG307", "replication.instance.class", message, hint)


def names(spec: Spec) -> Iterator[Diagnostic]:
    """Identifiers in RDS and DMS may not hold two hyphens in a row."""
    for path, name in (("name", spec.migration.name), ("environment", spec.migration.environment)):
        if "--" in name:
            message = f"{quote(name)} has two hyphens in a row, which RDS and DMS refuse in identifiers"
            yield spec.finding("PMG304", path, message, f"write {name.replace('--', '-')}")


def secret_region(spec: Spec) -> Iterator[Diagnostic]:
    """Functions and DMS read the secret in their own region."""
    region, source = spec.migration.region, spec.migration.source.database
    for name, arn in (("secret", source.secret), ("admin_secret", source.admin_secret)):
        found = arn.split(":")[3] if arn else region
        if region != found:
            message = f"the secret is in {found}, the migration goes to {region}"
            hint = f"replicate the secret to {region} and write the replica's ARN"
            yield spec.finding("PMG305", f"source.database.{name}", message, hint)


def tags(spec: Spec) -> Iterator[Diagnostic]:
    """AWS keeps the prefix `aws:` for itself and counts tags."""
    written = spec.migration.tags
    for key in written:
        if key.lower().startswith("aws:"):
            message = f"the tag {quote(key)} starts with aws:"
            yield spec.finding("PMG306", ("tags", key), message, "choose another name", at_key=True)
    if len(written) > MOST_TAGS:
        message = f"{len(written)} tags are more than {MOST_TAGS}"
        yield spec.finding("PMG306", "tags", message, f"keep {MOST_TAGS} at most")

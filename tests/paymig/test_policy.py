"""`paymig policy` against what the commands really call: nothing is missing, and nothing is too much."""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner, Result

from compiler.compile import compile_spec
from compiler.names import MIGRATION_TAG
from compiler.plan.permissions import needs
from paymig.aws.bootstrap import STACK as BOOTSTRAP
from paymig.cli import COMMANDS, cli
from paymig.errors import UNHEALTHY, AwsError
from paymig.journal.opening import open_journal
from paymig.policy.formats import FOR, FORMATS
from paymig.policy.people import REVIEWING
from paymig.policy.places import ANYWHERE, places, service_role
from paymig.policy.rights import RIGHTS
from paymig.policy.services import BY_TAG
from paymig.policy.statements import LARGEST, size, split
from paymig.rehearsal.stage import open_stage
from runtime_lambdas.runtime.journal.hold import hold
from schemas.load import load
from tests.examples import EXAMPLES, SPECS
from tests.paymig.deployed import deployed
from tests.paymig.iam import Asked, World, allows, asked
from tests.paymig.operators import another
from tests.paymig.paying import execute
from tests.paymig.recording import Call, Recorder

SPEC = load(SPECS / "payments.yaml")
NAME = SPEC.migration.full_name
QUICK = {
    "bake: 30m": "bake: 0s",
    "alarms: none": "alarms: any",  # nobody feeds the metrics of Aurora here
    "minimum_requests: 500": "minimum_requests: 0",
    "pause_budget: 10s": "pause_budget: 25s",  # a busy machine gives no move up
    "engine: dms": "engine: logical",  # the one that this machine can drive
    "  instance: {class: dms.r6i.large, storage: 100GiB, multi_az: true}\n": "",
    "    replication: {instance: {class: dms.t3.medium, multi_az: false}}\n": "",
    "  large_objects: {mode: limited, max: 64MiB}\n": "",
}
"""What a rehearsal of commands changes of the spec, so that it takes seconds; the places of its rights stay."""


class Desk:
    """An operator who types commands, and the recorder beside them."""

    def __init__(self, stage: Any, recorder: Recorder, folder: Path) -> None:
        self.stage, self.recorder = stage, recorder
        self.tags: dict[str, dict[str, str]] = {}
        self.spec = folder / "payments.yaml"
        shutil.copytree(SPECS, folder, dirs_exist_ok=True)
        for old, new in QUICK.items():
            self.rewrite(old, new)

    def run(self, command: str, *arguments: str, code: int | None = 0, **heard: Any) -> Result:
        """Type a command; None for an exit code that is about what it found."""
        verb = [one for one in arguments[:1] if command == "replicate"]
        options = arguments[len(verb) :]
        with self.recorder.during(command, **heard):
            line = [command, *verb, str(self.spec), *options]
            done = CliRunner().invoke(cli, line, env=self.stage.embedded.environment())
        got = getattr(done.exception, "exit_code", done.exit_code)
        assert got == code or (code is None and got in (0, UNHEALTHY)), f"{done.exception!r}\n{done.output}"
        return done

    def rewrite(self, old: str, new: str) -> None:
        text = self.spec.read_text()
        assert old in text
        self.spec.write_text(text.replace(old, new))

    def publish(self) -> None:
        """What the validation function publishes while all is well, and the load balancer in this and coming minutes.

        A gate counts the requests since the last move of the traffic, however long this machine takes for it.
        """
        root = self.stage.aws.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
        [balancer] = [one["OutputValue"] for one in root["Outputs"] if one["OutputKey"] == "LoadBalancerName"]
        own = {"ValidationEqual": 1, "ValidationMismatches": 0, "ReplicationLagSeconds": 0.1}
        now = datetime.now(UTC)
        traffic = [("RequestCount", 1000, now + timedelta(minutes=minute)) for minute in range(60)]
        for namespace, dimension, of, values in (
            ("Paymig", "Migration", NAME, [(name, value, now) for name, value in own.items()]),
            ("AWS/ApplicationELB", "LoadBalancer", balancer, traffic),
        ):
            place = [{"Name": dimension, "Value": of}]
            data = [
                {"MetricName": name, "Value": value, "Timestamp": time, "Dimensions": place}
                for name, value, time in values
            ]
            self.stage.aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)

    def look_at_tags(self) -> None:
        """Remember the tags of what is deployed; what is destroyed has none."""
        secrets = self.stage.aws.client("secretsmanager").list_secrets()["SecretList"]
        elb = self.stage.aws.client("elbv2")
        arns = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
        balancers = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
        tagged = [(one["ARN"], one.get("Tags", [])) for one in secrets]
        tagged += [(one["ResourceArn"], one["Tags"]) for one in balancers]
        self.tags |= {arn: {tag["Key"]: tag["Value"] for tag in tags} for arn, tags in tagged}

    @property
    def world(self) -> World:
        return World(self.stage.aws.region, self.stage.embedded.account_id, self.tags)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Asked], Any]]:
    """Every command that talks to AWS, through all that it may meet, as what it asked for."""
    with open_stage(SPEC.migration) as stage, pytest.MonkeyPatch.context() as patch:
        recorder = Recorder()
        recorder.install(patch)
        desk = Desk(stage, recorder, tmp_path_factory.mktemp("specs"))
        rehearse(desk)
        asks = (frozen(one) for call in recorder.located() for one in asked(call, desk.world))
        yield list(dict.fromkeys(asks)), stage


def frozen(one: Asked) -> Asked:
    """The same, to be told apart by value."""
    return one._replace(context=tuple(sorted((key, tuple(values)) for key, values in one.context.items())))


def thawed(one: Asked) -> Asked:
    return one._replace(context=dict(one.context))


def rehearse(desk: Desk) -> None:
    role = f"arn:aws:iam::{desk.stage.embedded.account_id}:role/{service_role(NAME)}"
    desk.run("deploy", "--yes", amend=refuse_templates_of(NAME), code=6)
    desk.run("deploy", "--yes", "--role-arn", role)
    desk.look_at_tags()
    desk.run("status")
    desk.run("plan")
    desk.run("preflight", code=None)
    desk.run("preflight", "--in-aws", code=None)
    execute(desk.stage.target_dsn, (files("runtime_lambdas.payment_api") / "schema.sql").read_text())
    desk.run("transfer-schema", "--section", "post-data", code=None)
    for what in (("start",), ("status",)):
        desk.run("replicate", *what, code=None)
    desk.run("compare", code=None)
    desk.run("compare", "--in-cloud", code=None)
    execute(desk.stage.target_dsn, "REVOKE SELECT ON payments FROM paymig_validation")
    desk.run("compare", "--in-cloud", code=1)
    execute(desk.stage.target_dsn, "GRANT SELECT ON payments TO paymig_validation")
    desk.run("replicate", "stop", "--retire", "--yes", code=None)
    desk.publish()
    desk.run("approve", "--step", "1%", "--yes")
    desk.run("shift", "--to", "1%", "--no-bake", "--yes")
    desk.rewrite("memory: 512MiB", "memory: 768MiB")
    desk.run("deploy", "--no-execute")
    desk.run("deploy", "--yes")
    desk.rewrite("memory: 768MiB", "memory: 1024MiB")
    desk.run("deploy", "--no-execute")
    desk.run("rollback", "--yes")
    desk.run("shift", "--to", "1%", "--no-bake", "--yes")
    desk.run("rollback", "--yes", judge=cut_off("cloudformation"))
    desk.run("history")
    with hold(open_journal(another(desk.stage), NAME), "shift", "gone to lunch"):
        desk.run("unlock", "--yes")
    desk.run("destroy", "--yes")
    desk.run("deploy", "--yes")
    desk.look_at_tags()
    move_the_writer(desk)


def move_the_writer(desk: Desk) -> None:
    """There by the walk and back, there and back in AWS, there again with the traffic, and the end of the way back."""
    desk.publish()
    for bake in ("1h", "2h", "24h, approval: required"):
        desk.rewrite(f"bake: {bake}", "bake: 0s")
    desk.rewrite("sequence_gap: 10000, approval: required", "sequence_gap: 10000, approval: none")
    desk.run("cutover", "--yes")
    desk.run("rollback", "--yes")
    desk.rewrite("sequence_gap: 10000, approval: none", "sequence_gap: 10000, approval: required")
    desk.run("switchover", "--in-cloud", "--plan")
    desk.run("approve", "--step", "switchover", "--yes")
    desk.run("switchover", "--in-cloud", "--yes")
    desk.run("rollback", "--in-cloud", "--yes")
    desk.run("finalize", "--in-cloud", "--yes", code=3)  # too early
    desk.run("rollback", "--yes")  # of the traffic
    desk.rewrite("strategy: compute-first", "strategy: together")
    for share in ("1%", "10%", "50%"):
        desk.rewrite(f"    - {{to: {share}, bake: 0s}}\n", "")
    desk.run("approve", "--step", "switchover", "--yes")
    desk.run("switchover", "--yes")
    desk.run("finalize", "--yes")
    desk.run("finalize", "--in-cloud", "--yes")


def refuse_templates_of(stack: str) -> Any:
    """CloudFormation finds the template of a stack that is new wrong."""

    def amend(operation: str, answer: dict[str, Any]) -> None:
        if operation == "DescribeChangeSet" and answer.get("StackName") == stack:
            answer |= {"Status": "FAILED", "StatusReason": "Template error: the one of this test"}

    return amend


def cut_off(service: str) -> Any:
    def judge(call: Call) -> None:
        if call.service == service:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.example.com")

    return judge


def test_the_operator_may_do_what_the_commands_do(recorded: tuple[list[Asked], Any]) -> None:
    policy = [statement.to_json() for statement in FOR["operator"](compile_spec(SPEC))]
    refused = [one for one in map(thawed, recorded[0]) if not any(allows(statement, one) for statement in policy)]
    assert refused == []


def test_no_right_goes_unused(recorded: tuple[list[Asked], Any]) -> None:
    """Each line of the table was asked for, there, on behalf of that call, by exactly those commands."""
    known = places(compile_spec(SPEC))
    used: defaultdict[Any, set[str]] = defaultdict(set)
    for one in map(thawed, recorded[0]):
        at = [
            right
            for right in RIGHTS
            if (right.action, right.because) == (one.action, one.because)
            and allows(known[right.place].statement("x", (one.action,)).to_json(), one)
        ]
        assert len(at) == 1, f"{one} is said by {at} in paymig.policy.rights, not by one line"
        used[at[0]].add(one.command)
    assert {right: set(right.commands.split()) for right in RIGHTS} == used


def touched(stage: Any, *, looking: bool) -> Iterator[Asked]:
    """What CloudFormation asks of each resource that is deployed, of its own service, as its type's provider says.

    The embedded AWS does not ask itself: it looks a resource up without a call.
    """
    context = {"aws:RequestedRegion": [SPEC.migration.region], **OURS}
    for one in deployed(stage.aws, stage.embedded.account_id, NAME, BOOTSTRAP):
        found = needs({one.type})
        for action in sorted(found.read if looking else found.read | found.write):
            service, _, name = action.partition(":")
            if service == one.arn.split(":")[2] and (name.startswith(("Describe", "Get", "List")) or not looking):
                yield Asked("deploy", action, one.arn, context)


@pytest.mark.parametrize("who", ["operator", "cloudformation"])
def test_each_deployed_resource_is_within_reach_of_cloudformation(recorded: tuple[list[Asked], Any], who: str) -> None:
    """With the operator's rights as far as drift detection looks, and with its own role for whatever is to be done."""
    looking = who == "operator"
    policy = [one.to_json() for one in FOR[who](compile_spec(SPEC)) if one.sid.startswith("Drift") or not looking]
    everything = [one for one in touched(recorded[1], looking=looking) if one.action != "secretsmanager:GetSecretValue"]
    assert {one.resource.split(":")[2] for one in everything} > {"iam", "lambda", "rds", "s3", "secretsmanager"}
    assert [one for one in everything if not any(allows(statement, one) for statement in policy)] == []


def test_no_command_is_forgotten(recorded: tuple[list[Asked], Any]) -> None:
    """A command is recorded, or it asks nothing of AWS."""
    offline = {"init", "check", "compile", "policy", "evidence", "graph", "schema", "rehearse", "runbook"}
    assert {one.command for one in recorded[0]} | offline == set(COMMANDS)


_OTHERWISE = "AWS may make the name from the logical id alone"
_OWN = "of a stack of one's own, which takes its types' names"
_ALONG = "a provider's call names it along with the resource"
BESIDE = {
    "trail/Audit-*": _OTHERWISE,
    "alarm:RollbackAlarm-*": _OTHERWISE,
    "dashboard/Dashboard-*": _OTHERWISE,
    "regional/webacl/Firewall-*/*": _OTHERWISE,
    f"table/{NAME}-*": _OWN,
    f"cluster-snapshot:{NAME}-*": _ALONG,
    f"snapshot:{NAME}-*": _ALONG,
    "auto-backup:*": _ALONG,
    "og:default:*": _ALONG,
    "pg:default.*": _ALONG,
    "global-cluster:*": _ALONG,
    "secret:rds!cluster-*": _ALONG,
    "regional/managedruleset/*": _ALONG,
    "regional/rulegroup/*": _ALONG,
    "loadbalancer/app/*": _ALONG,
    f"{NAME}-*/*": _ALONG,
    f"{BOOTSTRAP}-*/*": _ALONG,
    f"hostedzone/{SPEC.migration.routing.hosted_zone}": "a record has no ARN",
    "change/*": "a record has no ARN",
}
"""What drift detection may look at, and nothing of it is deployed here: how the ARN ends, and why."""


def test_each_resource_of_the_operator_is_used(recorded: tuple[list[Asked], Any]) -> None:
    """Not a nested stack or a folder too many is named."""
    called, looked_at = [*map(thawed, recorded[0])], [*touched(recorded[1], looking=True)]
    for statement in FOR["operator"](compile_spec(SPEC)):
        if statement.sid in ("Tasks", "Ends"):  # recorded beside DMS
            continue
        drift = statement.sid.startswith("Drift")
        for resource in statement.resources:
            alone = {**statement.to_json(), "Resource": [resource]}
            used = any(allows(alone, one) for one in (looked_at if drift else called))
            beside = drift and resource.split(":", 5)[-1] in BESIDE
            assert used != beside, f"{statement.sid}: {resource}"


IDS_OF_AWS = frozenset(
    ("acm", "application-autoscaling", "directconnect", "dms", "ec2", "elasticloadbalancing", "kms", "route53resolver")
)
"""Services whose resources have ids, or shortened names, that nobody knows before; the rest must be named."""
KNOW_NO_RESOURCES = frozenset(
    (
        "cloudtrail:DescribeTrails",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "iam:ListRoles",
        "logs:CreateLogDelivery",
        "logs:DeleteIndexPolicy",
        "logs:DeleteLogDelivery",
        "logs:DeleteResourcePolicy",
        "logs:DescribeIndexPolicies",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutIndexPolicy",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "rds:CreateDBProxy",
        "rds:DescribeDBClusterAutomatedBackups",
        "rds:DescribeDBClusterSnapshots",
        "rds:DescribeDBEngineVersions",
        "rds:DescribeDBInstanceAutomatedBackups",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBSnapshots",
        "rds:DescribeEngineDefaultClusterParameters",
        "rds:DescribeEvents",
        "rds:DescribeGlobalClusters",
        "secretsmanager:GetRandomPassword",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    )
)
"""What may stand on `*` of a service whose resources are named: it knows none, or lists whatever there is."""


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("who", FOR)
def test_a_wildcard_alone_has_its_reason(name: str, who: str) -> None:
    """CloudFormation's statements and those of drift detection among them, which are held to the region besides."""
    for statement in FOR[who](compile_spec(load(SPECS / f"{name}.yaml"))):
        assert statement.why
        assert not any("*" in action for action in statement.actions)
        if statement.resources != ("*",):
            continue
        if statement.sid == "Anywhere":
            assert set(statement.actions) <= ANYWHERE.keys()
            continue
        named = {action for action in statement.actions if action.partition(":")[0] not in IDS_OF_AWS}
        assert named <= KNOW_NO_RESOURCES, statement.sid
        global_only = {action.partition(":")[0] for action in statement.actions} <= {"iam", "route53"}
        assert global_only or "aws:RequestedRegion" in (statement.condition or {})["StringEquals"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_function_that_an_operator_calls_is_alone_in_its_stack(name: str) -> None:
    """An operator may call whatever function's name begins as that stack's does."""
    control = json.loads(compile_spec(load(SPECS / f"{name}.yaml")).templates["control"])
    assert [found["Type"] for found in control["Resources"].values()].count("AWS::Lambda::Function") == 1


def test_drift_detection_reads_what_the_templates_hold() -> None:
    compiled = compile_spec(SPEC)
    drift = [one for one in FOR["operator"](compiled) if one.sid.startswith("Drift")]
    actions = {action for statement in drift for action in statement.actions}
    assert {"ec2:DescribeVpcs", "rds:DescribeDBClusters", "lambda:GetFunction", "kms:DescribeKey"} <= actions
    assert actions <= needs({*json_types(compiled)}).read | needs({"AWS::DynamoDB::Table"}).read
    assert all(action.split(":")[1].startswith(("Describe", "Get", "List")) for action in actions)
    assert "secretsmanager:GetSecretValue" not in actions
    at = {action: one.resources for one in drift for action in one.actions}
    base = f"{SPEC.migration.region}:111122223333"
    assert f"arn:aws:rds:{base}:cluster:{NAME}-*" in at["rds:DescribeDBClusters"]
    assert f"arn:aws:states:{base}:stateMachine:{NAME}-move" in at["states:DescribeStateMachine"]
    assert f"arn:aws:cloudwatch::111122223333:dashboard/{NAME}-*" in at["cloudwatch:GetDashboard"]


def json_types(compiled: Any) -> set[str]:
    return {
        found["Type"] for body in compiled.templates.values() for found in json.loads(body)["Resources"].values()
    } | {"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::IAM::Role", "AWS::DynamoDB::Table"}


def test_a_reviewer_looks_and_touches_nothing(tmp_path: Path) -> None:
    policy = [statement.to_json() for statement in FOR["reviewer"](compile_spec(SPEC))]
    with open_stage(SPEC.migration) as stage, pytest.MonkeyPatch.context() as patch:
        recorder = Recorder()
        desk = Desk(stage, recorder, tmp_path / "specs")
        desk.run("deploy", "--yes")
        recorder.install(patch)

        def enforce(call: Call) -> None:
            for one in asked(call, desk.world):
                if not any(allows(statement, one) for statement in policy):
                    error = {"Code": "AccessDenied", "Message": f"not authorized to perform {one.action}"}
                    raise ClientError({"Error": error}, call.operation)  # type: ignore[arg-type]

        for command in sorted(REVIEWING):
            desk.run(command, judge=enforce)
        for command, code in (("shift --to 1%", 1), ("destroy", 1), ("rollback", AwsError.exit_code)):
            # The first two end with the SDK's own error, which the command line words and gives the same exit code.
            refused = desk.run(*command.split(), "--yes", judge=enforce, code=code)
            assert "not authorized to perform dynamodb:" in str(refused.exception)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("who", FOR)
def test_every_example_has_its_policies(name: str, who: str) -> None:
    compiled = compile_spec(load(SPECS / f"{name}.yaml"))
    statements = FOR[who](compiled)
    assert len({one.sid for one in statements}) == len(statements)
    parts = list(split(statements))
    assert all(size(part) <= LARGEST for part in parts)
    pairs = {(action, resource) for one in statements for action in one.actions for resource in one.resources}
    cut = {(action, r) for part in parts for one in part for action in one.actions for r in one.resources}
    assert cut == pairs, "cutting loses nothing and adds nothing"
    assert json.loads(FORMATS["json"](compiled, who))["Statement"]
    assert json.loads(FORMATS["template"](compiled, who))["Resources"].keys() >= {"Policy1"}
    assert f"Rights of {who} for {compiled.migration.full_name}" in FORMATS["markdown"](compiled, who)


def test_the_service_role_covers_what_is_in_the_templates() -> None:
    """Also what a patch or a stack of one's own brings in; roles may be passed to the services they trust alone."""
    for name, wanted in (
        ("logical-vpn", {"ec2:CreateVpnConnection", "route53resolver:CreateResolverRule"}),
        ("own-api", {"directconnect:CreateDirectConnectGatewayAssociation", "dms:CreateReplicationInstance"}),
        ("together", {"dms:CreateReplicationConfig"}),
    ):
        statements = FOR["cloudformation"](compile_spec(load(SPECS / f"{name}.yaml")))
        actions = {action for one in statements for action in one.actions}
        assert wanted <= actions
        assert not any("*" in action for action in actions)
        [passing] = [one for one in statements if "iam:PassRole" in one.actions]
        assert passing.resources != ("*",)
        assert "lambda.amazonaws.com" in passing.condition["StringEquals"]["iam:PassedToService"]
        assert not any("*" in service for service in passing.condition["StringEquals"]["iam:PassedToService"])
    plain = FOR["cloudformation"](compile_spec(load(SPECS / "minimal.yaml")))
    assert "ec2:CreateVpnConnection" not in {action for one in plain for action in one.actions}


OURS, OTHERS = {"aws:ResourceTag/Migration": [NAME]}, {"aws:ResourceTag/Migration": ["ledger-prod"]}


@pytest.mark.parametrize(
    ("action", "own", "foreign"),
    [
        ("rds:DeleteDBCluster", "rds:{}:cluster:payments-prod-database-1x-cluster-2y", "rds:{}:cluster:ledger"),
        ("rds:DeleteDBInstance", "rds:{}:db:payments-prod-database-1x-instance1-2y", "rds:{}:db:ledger"),
        ("states:DeleteStateMachine", "states:{}:stateMachine:payments-prod-move", "states:{}:stateMachine:pay"),
        (
            "cloudwatch:DeleteAlarms",
            "cloudwatch:{}:alarm:payments-prod-Monitoring-1X-LagAlarm-2Y",
            "cloudwatch:{}:alarm:a",
        ),
        (
            "cloudtrail:StopLogging",
            "cloudtrail:{}:trail/payments-prod-Monitoring-1X-Audit-2Y",
            "cloudtrail:{}:trail/all",
        ),
        ("wafv2:DeleteWebACL", "wafv2:{}:regional/webacl/Firewall-2Y/an-id", "wafv2:{}:regional/webacl/shop/an-id"),
    ],
)
def test_the_service_role_ends_at_the_names_of_the_migration(action: str, own: str, foreign: str) -> None:
    at = f"{SPEC.migration.region}:111122223333"
    policy = [one.to_json() for one in FOR["cloudformation"](compile_spec(SPEC))]
    here = {"aws:RequestedRegion": [SPEC.migration.region], **OURS}
    for resource, expected in ((own, True), (foreign, False)):
        wanted = Asked("", action, f"arn:aws:{resource.format(at)}", here)
        assert any(allows(statement, wanted) for statement in policy) is expected


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("acm:DeleteCertificate", "acm:{}:certificate/an-id"),
        ("dms:DeleteReplicationTask", "dms:{}:task:AN-ID"),
        ("ec2:DeleteVpc", "ec2:{}:vpc/vpc-1"),
        ("ec2:ReleaseAddress", "ec2:{}:elastic-ip/eipalloc-1"),
        ("elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:{}:loadbalancer/app/paym-Load-1X/an-id"),
        ("kms:ScheduleKeyDeletion", "kms:{}:key/an-id"),
        ("kms:PutKeyPolicy", "kms:{}:key/an-id"),
        ("rds:DeleteDBProxy", "rds:{}:db-proxy:prx-1"),
    ],
)
def test_the_service_role_ends_at_the_tag_where_ids_are_not_known(action: str, resource: str) -> None:
    arn = f"arn:aws:{resource.format(f'{SPEC.migration.region}:111122223333')}"
    policy = [one.to_json() for one in FOR["cloudformation"](compile_spec(SPEC))]
    for tags, expected in ((OURS, True), (OTHERS, False), ({}, False)):
        wanted = Asked("", action, arn, {"aws:RequestedRegion": [SPEC.migration.region], **tags})
        assert any(allows(statement, wanted) for statement in policy) is expected


def test_what_is_deleted_of_a_network_by_its_tag_has_it() -> None:
    by_tag = {action for action in BY_TAG if action.startswith("ec2:")}
    deleted: set[str] = set()
    for name in EXAMPLES:
        compiled = compile_spec(load(SPECS / f"{name}.yaml"))
        for template, body in compiled.templates.items():
            for key, found in json.loads(body)["Resources"].items():
                if here := needs({found["Type"]}).write & by_tag:
                    tags = {tag["Key"]: tag["Value"] for tag in found["Properties"]["Tags"]}
                    assert tags.get(MIGRATION_TAG) == compiled.migration.full_name, f"{name}/{template}/{key}"
                    deleted |= here
    assert deleted == by_tag


def test_what_publishes_no_rights_is_named(tmp_path: Path) -> None:
    shutil.copytree(SPECS, tmp_path, dirs_exist_ok=True)
    own = tmp_path / "stacks" / "reports.yaml"
    own.write_text("Resources: {Wait: {Type: AWS::CloudFormation::WaitConditionHandle}}")
    done = CliRunner().invoke(cli, ["policy", str(tmp_path / "own-api.yaml"), "--for", "cloudformation"])
    assert done.exit_code == 0
    assert "AWS::CloudFormation::WaitConditionHandle" in done.stderr

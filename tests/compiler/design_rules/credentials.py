"""Who may open the databases, and with what."""

from tests.compiler.design_rules import Stacks, listed, rule

FUNCTIONS = ("api.Function", "control.Switchover", "validation.Validation")


@rule(1)
def no_password_is_written_down(stacks: Stacks) -> None:
    cluster = stacks.one("RDS::DBCluster")
    assert cluster["ManageMasterUserPassword"] is True
    assert cluster["MasterUserSecret"]["KmsKeyId"]
    assert not {"MasterUserPassword", "Password", "SecretString"} & set(stacks.text())
    assert all(secret["GenerateSecretString"] for secret in stacks.all("SecretsManager::Secret").values())


@rule(2)
def every_secret_is_rotated_by_a_function(stacks: Stacks) -> None:
    secrets = {name.split(".")[1] for name in stacks.all("SecretsManager::Secret")}
    rotated = stacks.all("SecretsManager::RotationSchedule").values()
    assert {schedule["SecretId"]["Ref"] for schedule in rotated} == secrets
    for schedule in rotated:
        assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": ["SecretRotation", "Arn"]}
        assert schedule["RotationRules"]["ScheduleExpression"] == "rate(30 days)"
    assert stacks.properties("database.SecretRotation")["VpcConfig"]
    assert stacks.one("SecretsManager::SecretTargetAttachment")["TargetType"] == "AWS::RDS::DBCluster"


@rule(3)
def replication_logs_in_by_secret(stacks: Stacks) -> None:
    for endpoint in stacks.all("DMS::Endpoint").values():
        assert not {"Username", "Password", "ServerName"} & endpoint.keys()
        assert endpoint["PostgreSqlSettings"]["SecretsManagerSecretId"]
        assert endpoint["PostgreSqlSettings"]["SecretsManagerAccessRoleArn"]["Fn::GetAtt"][0] == "SecretsRole"
    assert stacks.rights("replication.SecretsRole") == {
        "kms:Decrypt",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
    }
    assert all(statement["Resource"] != "*" for statement in stacks.statements("replication.SecretsRole"))


@rule(4)
def a_secret_has_a_key_and_a_door(stacks: Stacks) -> None:
    secrets = stacks.all("SecretsManager::Secret")
    assert all(secret["KmsKeyId"] for secret in secrets.values())
    doors = {policy["SecretId"]["Ref"]: policy for policy in stacks.all("SecretsManager::ResourcePolicy").values()}
    assert doors.keys() == {name.split(".")[1] for name in secrets}
    for door in doors.values():
        assert door["BlockPublicPolicy"] is True
        [statement] = door["ResourcePolicy"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"]["StringNotEquals"] == {"aws:PrincipalTag/Migration": "payments-prod"}
    tagged = [
        name
        for name, role in stacks.all("IAM::Role").items()
        if {"Key": "Migration", "Value": "payments-prod"} in role["Tags"]
    ]
    assert set(tagged) == set(stacks.all("IAM::Role")), "a role without the tag could not read its own secret"


@rule(5)
def each_function_has_a_role_of_its_own_on_the_database(stacks: Stacks) -> None:
    assert stacks.one("RDS::DBCluster")["EnableIAMDatabaseAuthentication"] is True
    assert stacks.one("RDS::DBProxy")["RequireTLS"] is True
    secrets = [stacks.variables(function)["TARGET_SECRET_ARN"]["Ref"] for function in FUNCTIONS]
    assert len(set(secrets)) == len(FUNCTIONS)
    users = {
        secret["GenerateSecretString"]["SecretStringTemplate"]
        for secret in stacks.all("SecretsManager::Secret").values()
    }
    assert len(users) == len(stacks.all("SecretsManager::Secret"))
    assert not any(stacks.one("RDS::DBCluster")["MasterUsername"] in user for user in users)


@rule(6)
def both_servers_are_authenticated(stacks: Stacks) -> None:
    for endpoint in stacks.all("DMS::Endpoint").values():
        assert endpoint["SslMode"] == "verify-full"
        authority = endpoint["CertificateArn"]["Ref"]
        assert stacks.properties(f"replication.{authority}")["CertificatePem"].startswith("-----BEGIN CERTIFICATE-----")
    for instance in stacks.all("RDS::DBInstance").values():
        assert instance["CACertificateIdentifier"].startswith("rds-ca-")
    for function in FUNCTIONS:
        assert stacks.variables(function)["SOURCE_TLS"] == stacks.variables(function)["TARGET_TLS"] == "verify-full"
        assert stacks.variables(function)["SOURCE_CA"]
        assert stacks.variables(function)["TARGET_CA"]


@rule(25)
def rights_name_what_they_are_for(stacks: Stacks) -> None:
    for role in stacks.all("IAM::Role"):
        assert "ManagedPolicyArns" not in stacks.properties(role)
        assert not [action for action in stacks.rights(role) if "*" in action]
    [change] = [
        statement
        for statement in stacks.statements("validation.RollbackRole")
        if "route53:ChangeResourceRecordSets" in listed(statement["Action"])
    ]
    assert change["Resource"]["Fn::Sub"].endswith("hostedzone/Z0123456789ABCDEFGHIJ")
    condition = change["Condition"]["ForAllValues:StringEquals"]
    assert condition["route53:ChangeResourceRecordSetsNormalizedRecordNames"]
    for role in stacks.all("IAM::Role"):
        for statement in stacks.statements(role):
            if "logs:PutLogEvents" in listed(statement["Action"]):
                assert statement["Resource"] != "*"


@rule(27)
def keys_are_by_class_of_data_with_policies(stacks: Stacks) -> None:
    keys = stacks.all("KMS::Key")
    assert {name.split(".")[1] for name in keys} == {"DataKey", "LogsKey", "SecretsKey"}
    for name, key in keys.items():
        assert key["EnableKeyRotation"] is True
        assert key["RotationPeriodInDays"] == 365
        assert key["PendingWindowInDays"] == 30
        assert stacks.resource(name)["DeletionPolicy"] == "Retain"
        for statement in key["KeyPolicy"]["Statement"]:
            actions = listed(statement["Action"])
            assert "kms:*" not in actions
            if statement["Principal"].get("AWS") and "kms:Decrypt" in actions:
                assert statement["Condition"]["StringEquals"]["kms:ViaService"]
    for kind, key_property in (
        ("DMS::ReplicationInstance", "KmsKeyId"),
        ("SNS::Topic", "KmsMasterKeyId"),
        ("SQS::Queue", "KmsMasterKeyId"),
        ("Logs::LogGroup", "KmsKeyId"),
        ("Lambda::Function", "KmsKeyArn"),
        ("RDS::DBCluster", "KmsKeyId"),
    ):
        assert all(found[key_property] for found in stacks.all(kind).values())

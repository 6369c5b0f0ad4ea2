"""How this machine opens the two databases: as whom, and where, from the spec, Secrets Manager and the stacks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from paymig.aws import stack
from paymig.errors import Refused
from runtime_lambdas.runtime.logins import Login, Role

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from paymig.aws.session import Aws
    from runtime_lambdas.runtime.database import Server
    from runtime_lambdas.runtime.writer import Side
    from schemas.load import Spec

_OUTPUTS: Mapping[Role, str] = {
    "api": "ApiSecretArn",
    "control": "ControlSecretArn",
    "master": "MasterSecretArn",
    "replication": "ReplicationSecretArn",
    "validation": "ValidationSecretArn",
}


class Databases:
    """The logins of one migration.

    Args:
        aws: where the secrets and the stacks are.
        spec: the migration, and the folder its authority's file is in.
    """

    def __init__(self, aws: Aws, spec: Spec) -> None:
        self._aws = aws
        self._spec = spec

    def login(self, side: Side, role: Role) -> Login:
        """Return a login with its secret as it is now.

        Args:
            side: which database.
            role: of the source "application" or "admin"; of the target "api", "control", "validation", "replication"
                or "master".

        Raises:
            Refused: the target does not exist yet, or a secret holds no login.
            ClientError: the secret can't be read.
        """
        if side == "source":
            source = self._spec.migration.source.database
            arn = {"application": source.secret, "admin": source.admin}[role]
            return Login(self._source, self._secret(arn))
        return Login(self._target, self._secret(self._deployed[_OUTPUTS[role]]))

    @contextmanager
    def open(self, side: Side, role: Role) -> Iterator[connection]:
        """Open a connection for as long as the block runs; a transaction left open is rolled back.

        Raises:
            Refused: as for `login`.
            psycopg2.OperationalError: unreachable, or the login or the certificate was refused.
        """
        opened = self.login(side, role).open()
        try:
            yield opened
        finally:
            opened.close()

    @cached_property
    def _source(self) -> Server:
        from runtime_lambdas.runtime.database import Server

        source = self._spec.migration.source.database
        ca = str(self._spec.folder / source.tls.ca) if source.tls.ca else None
        return Server(source.host, source.port, source.name, source.tls.mode, ca)

    @cached_property
    def _target(self) -> Server:
        from compiler.assets import AUTHORITIES
        from runtime_lambdas.runtime.database import Server

        migration = self._spec.migration
        outputs = self._deployed
        # All of RDS's authorities, not the region's alone: a file of our own would outlive a process that is killed,
        # and the name that is verified has the region in it.
        ca = str(AUTHORITIES)
        return Server(outputs["Endpoint"], int(outputs["Port"]), migration.database_name, "verify-full", ca)

    @cached_property
    def _deployed(self) -> Mapping[str, str]:
        """The outputs of the deployed database stack."""
        name = self._spec.migration.full_name
        root = stack.describe(self._aws, name)
        nested = stack.nested(self._aws, name) if root else {}
        found = stack.describe(self._aws, nested["Database"]) if "Database" in nested else None
        if found is None or not {"Endpoint", "Port", *_OUTPUTS.values()} <= found.outputs.keys():
            raise Refused(f"{name} has no target database yet, or an older one", f"paymig deploy {self._spec.file}")
        return found.outputs

    def _secret(self, arn: str) -> Mapping[str, object]:
        answer = self._aws.client("secretsmanager").get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")
        try:
            secret = json.loads(answer.get("SecretString", ""))
        except ValueError:
            secret = None
        if not isinstance(secret, dict) or not {"username", "password"} <= secret.keys():
            raise Refused(
                f"the secret {arn} is no JSON object with username and password",
                'put it as {"username": ..., "password": ...}; host, port and dbname may stand there too',
            )
        return secret

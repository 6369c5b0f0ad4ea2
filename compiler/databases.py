"""How a function reaches the two databases: its variables and its rights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from compiler import names, policy
from compiler.assets import CERTIFICATES
from compiler.component import Component, Export
from compiler.function import read_foreign_secret, read_secret
from compiler.parameters import SOURCE_ADMIN_SECRET_ARN, SOURCE_SECRET_ARN
from schemas.migration import Migration

PORT = 5432
"""The port of the target."""


class Login(NamedTuple):
    """A way into the target: an address, and the secret of one role."""

    host: Export
    port: Export
    secret: Export
    secrets_key: Export


def variables(component: Component, migration: Migration, login: Login) -> Mapping[str, Any]:
    """The variables `{SOURCE,TARGET}_{HOST,PORT,NAME,SECRET_ARN,TLS,CA}`."""
    source = migration.source.database
    values = {
        "SOURCE_HOST": source.host,
        "SOURCE_PORT": str(source.port),
        "SOURCE_NAME": source.name,
        "SOURCE_SECRET_ARN": component.use(SOURCE_SECRET_ARN),
        "SOURCE_TLS": source.tls.mode,
        **target_variables(
            migration, component.use(login.host), component.use(login.port), component.use(login.secret)
        ),
    }
    if source.tls.ca is not None:
        values["SOURCE_CA"] = f"{CERTIFICATES}/source.pem"
    return values


def admin_variables(component: Component, replication_secret: Export) -> Mapping[str, Any]:
    """The variables of who sets replication up: the source's administrator, and how the source reaches the target."""
    return {
        "SOURCE_ADMIN_SECRET_ARN": component.use(SOURCE_ADMIN_SECRET_ARN),
        "TARGET_REPLICATION_SECRET_ARN": component.use(replication_secret),
    }


def target_variables(migration: Migration, host: Any, port: Any, secret: Any) -> dict[str, Any]:
    """The variables of the target alone."""
    return {
        "TARGET_CA": f"{CERTIFICATES}/target.pem",
        "TARGET_HOST": host,
        "TARGET_NAME": migration.database_name,
        "TARGET_PORT": port,
        "TARGET_SECRET_ARN": secret,
        "TARGET_TLS": "verify-full",
    }


def rights(component: Component, login: Login) -> list[policy.Statement]:
    """The rights to read the secrets of both databases."""
    return [
        *read_foreign_secret(component.use(SOURCE_SECRET_ARN)),
        *read_secret(component.use(login.secret), component.use(login.secrets_key)),
    ]


def admin_rights(component: Component, replication_secret: Export, secrets_key: Export) -> list[policy.Statement]:
    """The rights to read the secrets of `admin_variables`."""
    return [
        *read_foreign_secret(component.use(SOURCE_ADMIN_SECRET_ARN)),
        *read_secret(component.use(replication_secret), component.use(secrets_key)),
    ]


CAUSES: Mapping[str, str] = {
    **{f"Environment.Variables.SOURCE_{name}": "source.database" for name in ("HOST", "PORT", "NAME")},
    "Environment.Variables.SOURCE_ADMIN_SECRET_ARN": "source.database.admin_secret",
    "Environment.Variables.SOURCE_SECRET_ARN": "source.database.secret",
    "Environment.Variables.SOURCE_CA": "source.database.tls",
    "Environment.Variables.SOURCE_TLS": "source.database.tls",
    "Environment.Variables.TARGET_NAME": names.DATABASE_NAME,
}
"""For the source map: where these variables come from."""

"""What an engine or a database says, in words for the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from paymig.errors import PaymigError, Refused
from runtime_lambdas.runtime.replication.engine import ReplicationError
from runtime_lambdas.runtime.roles import RolesError


@contextmanager
def worded() -> Iterator[None]:
    """Turn what an engine or a database says into words for the operator."""
    try:
        yield
    except (ReplicationError, RolesError) as error:
        raise Refused(str(error)) from error
    except psycopg2.errors.LockNotAvailable as error:
        raise Refused(
            f"a lock was not to be had in time: {str(error).strip()}",
            "SELECT pid, usename, application_name, xact_start, query FROM pg_stat_activity WHERE xact_start < now() "
            "ORDER BY xact_start shows the oldest ones; wait for the end of the one in the way, or end it, and "
            "run the command again",
        ) from error
    except psycopg2.OperationalError as error:
        raise Refused(
            f"a database can't be reached from here: {str(error).strip()}",
            "run it where both databases can be reached, for example on a host inside the VPC",
        ) from error
    except psycopg2.Error as error:
        raise PaymigError(f"a database refused: {str(error).strip()}") from error

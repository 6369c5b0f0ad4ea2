"""The embedded AWS seen from its user: start it, talk to it, leave nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from paymig.embedded.seed import Seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paymig.embedded.faults import Fault

_START_SECONDS = 60
_STOP_SECONDS = 10
_LOG_TAIL_LINES = 40


class EmbeddedAwsError(RuntimeError):
    """The embedded AWS did not start, or refused an administrative request."""


class EmbeddedAws:
    """An AWS that lives as long as this context manager, on a loopback port of its own.

    It runs in a child process with its own temporary folder. The child ends, with every Lambda worker it
    started and everything it wrote, when the block is left and also when this process dies in any way: it
    watches a pipe that only this process holds open.

    Args:
        region: The region that clients of `client` and `environment` use.
        account_id: Twelve digits. It is also the access key: the server takes the account from there.
        seed: What exists before the first request.

    Raises:
        EmbeddedAwsError: When the server does not come up; the message ends with the tail of its log.
    """

    def __init__(
        self, *, region: str = "us-east-1", account_id: str = "111122223333", seed: Seed | None = None
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.seed = seed or Seed()
        self.endpoint_url = ""
        self.folder = Path()
        self._child: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
            self._wait_until_healthy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def log_path(self) -> Path:
        """The server's log; it goes with the temporary folder."""
        return self.folder / "server.log"

    def environment(self) -> dict[str, str]:
        """The variables that make an AWS client in another process use this AWS and no other."""
        return {
            "AWS_ACCESS_KEY_ID": self.account_id,
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            # No profile of the machine may leak into a session that means the embedded AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def session(self) -> Any:
        """A boto3 session with this AWS's credentials and region; give its clients `endpoint_url`."""
        import boto3

        return boto3.Session(
            aws_access_key_id=self.account_id,
            aws_secret_access_key="embedded",  # noqa: S106 - the embedded AWS checks no signature
            region_name=self.region,
        )

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client of `service` ("ec2", "dms", ...), by default in this AWS's region."""
        from botocore.config import Config

        key = (service, region or self.region)
        if key not in self._clients:
            self._clients[key] = self.session().client(
                service,
                region_name=key[1],
                endpoint_url=self.endpoint_url,
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
            )
        return self._clients[key]

    def faults(self, *faults: Fault) -> None:
        """Replace the faults in force: none given means none in force."""
        self._admin("PUT", "/_paymig/faults", json.dumps([fault.to_dict() for fault in faults]))

    def alb_request(
        self,
        method: str,
        dns_name: str,
        path: str,
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        port: int = 80,
    ) -> http.client.HTTPResponse:
        """Send a request to the listener on `port` of the load balancer called `dns_name`."""
        connection = self._connection(timeout=_START_SECONDS)
        # One connection for each call: it is closed with the response.
        sent = {**(headers or {}), "Host": f"{dns_name}:{port}", "Connection": "close"}
        connection.request(method, path, body=body, headers=sent)
        return connection.getresponse()

    def _start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="paymig-aws-"))
        seed_path = self.folder / "seed.json"
        seed_path.write_text(self.seed.to_json())
        # Bound and listening before the child exists: nobody else can take the port, and a request sent
        # early waits in the backlog instead of being refused.
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self.endpoint_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with self.log_path.open("wb") as log:
                self._child = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "paymig.embedded",
                        f"--listen-fd={listener.fileno()}",
                        f"--seed={seed_path}",
                    ],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[listener.fileno()],
                    env=self._child_environment(),
                    start_new_session=True,
                )

    def _child_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            "TMPDIR": str(self.folder),
            "MINISTACK_REGION": self.region,
            "MINISTACK_ACCOUNT_ID": self.account_id,
        }

    def _wait_until_healthy(self) -> None:
        try:
            self._admin("GET", "/_ministack/health")
        except (OSError, http.client.HTTPException) as cause:
            raise EmbeddedAwsError(
                f"the embedded AWS did not answer on {self.endpoint_url} within {_START_SECONDS} s "
                f"({cause!r}). The end of its log:\n{self._log_tail()}"
            ) from cause

    def _admin(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = self._connection(timeout=_START_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        if response.status >= 300:
            raise EmbeddedAwsError(
                f"the embedded AWS answered {response.status} to {method} {path}: {content.decode(errors='replace')}"
            )
        return content

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.endpoint_url.removeprefix("http://"), timeout=timeout)

    def _log_tail(self) -> str:
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _stop(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self._child is not None:
            # The whole group at once: nothing the server or its Lambda workers hold outlives the block,
            # so there is nothing to shut down in order.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait(_STOP_SECONDS)
            if self._child.stdin:
                self._child.stdin.close()
            self._child = None
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()


__all__: Sequence[str] = ["EmbeddedAws", "EmbeddedAwsError"]

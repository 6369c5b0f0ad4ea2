"""The embedded AWS's own process: ministack with the paymig plugin, on the loopback interface only."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from paymig.embedded.seed import Seed

_KEEP_ALIVE_SECONDS = 75


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted, or until the parent that gave the socket is gone."""
    parser = argparse.ArgumentParser(prog="python -m paymig.embedded", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="port on 127.0.0.1; 0 takes a free one")
    where.add_argument("--listen-fd", type=int, help="listening socket of a parent that holds stdin open")
    parser.add_argument("--seed", type=Path, help="JSON file of what exists from the start")
    options = parser.parse_args(arguments)

    if options.listen_fd is None:
        listener = socket.create_server(("127.0.0.1", options.port))
        folder = Path(tempfile.mkdtemp(prefix="paymig-aws-"))
    else:
        listener = socket.socket(fileno=options.listen_fd)
        folder = Path(tempfile.gettempdir())
        threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    port = listener.getsockname()[1]
    _configure_ministack(port, folder)

    # Only now: ministack reads its settings from the environment when it is imported.
    from paymig.embedded.plugin import UnsupportedMinistackError, install

    try:
        seed = Seed.from_file(options.seed) if options.seed else Seed()
        application = install(seed)
    except (OSError, ValueError, UnsupportedMinistackError) as error:
        sys.stderr.write(f"the embedded AWS cannot start: {error}\n")
        return 1
    if options.listen_fd is None:
        sys.stdout.write(f"embedded AWS on http://127.0.0.1:{port}\n")
        sys.stdout.flush()
    try:
        asyncio.run(_serve(application, listener))
    finally:
        if options.listen_fd is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _end_with_parent(folder: Path) -> None:
    """Wait for the end of stdin, then end this process, its Lambda workers and its files."""
    while os.read(0, 1024):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _configure_ministack(port: int, folder: Path) -> None:
    tempfile.tempdir = str(folder)
    os.environ.update(
        TMPDIR=str(folder),
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        S3_DATA_DIR=str(folder / "s3"),
        STATE_DIR=str(folder / "state"),
        PERSIST_STATE="0",
        # Databases and functions are ordinary processes here; a Docker daemon on the machine is not used.
        DOCKER_HOST=f"unix://{folder}/no-docker.sock",
        LAMBDA_EXECUTOR="local",
        # Listeners of services the migration does not use.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
    )


async def _serve(application: object, listener: socket.socket) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    await serve(application, config)  # type: ignore[arg-type]  # the plugin's wrapper is an ASGI application

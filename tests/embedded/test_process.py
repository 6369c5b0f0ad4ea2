"""The server's life: it starts, is private to the machine, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paymig.embedded.faults import Fault
from paymig.embedded.plugin import host
from paymig.embedded.process import EmbeddedAws, EmbeddedAwsError

ORPHAN = """
import sys
from paymig.embedded.process import EmbeddedAws
with EmbeddedAws() as aws:
    print(aws._child.pid, aws.folder, flush=True)
    sys.stdin.read()
"""


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _wait_until_gone(pid: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while _alive(pid) or folder.exists():
        assert time.monotonic() < deadline, f"process {pid} or {folder} is still there"
        time.sleep(0.02)


def test_account_and_region_are_the_arguments() -> None:
    with EmbeddedAws(region="eu-west-3", account_id="444455556666") as aws:
        assert aws.client("sts").get_caller_identity()["Account"] == "444455556666"
        topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
        assert topic == "arn:aws:sns:eu-west-3:444455556666:t"


def test_the_environment_leads_another_process_here(aws) -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    environment = {**os.environ, **aws.environment()}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == aws.account_id


def test_leaving_the_block_ends_process_and_files() -> None:
    with EmbeddedAws() as aws:
        pid, folder = aws._child.pid, aws.folder
        assert _alive(pid) and folder.exists()
    assert not _alive(pid) and not folder.exists()


def test_an_interrupt_ends_process_and_files() -> None:
    with pytest.raises(KeyboardInterrupt), EmbeddedAws() as aws:
        pid, folder = aws._child.pid, aws.folder
        raise KeyboardInterrupt
    assert not _alive(pid) and not folder.exists()


def test_killing_the_parent_ends_process_and_files() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid, folder = parent.stdout.readline().split()
        assert _alive(int(pid))
        parent.send_signal(signal.SIGKILL)
    _wait_until_gone(int(pid), Path(folder))


def test_it_listens_on_the_loopback_interface_only(aws) -> None:
    port = int(aws.endpoint_url.rpartition(":")[2])
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    bound = {line.split()[1] for line in lines if line.split()[3] == "0A" and line.split()[1].endswith(f"{port:04X}")}
    assert bound == {f"0100007F:{port:04X}"}


def test_another_version_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(host, "VERSION", "0.0.1")
    with pytest.raises(host.UnsupportedMinistackError, match=r"install ministack==0\.0\.1"):
        host.check()


def test_a_missing_registration_point_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(host._NEEDED, "ministack.app", ("imaginary",))
    with pytest.raises(host.UnsupportedMinistackError, match=r"ministack\.app\.imaginary"):
        host.check()


def test_a_server_that_cannot_start_shows_its_log(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.devnull)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EmbeddedAwsError, match="did not answer"), EmbeddedAws():
        pass


@pytest.mark.parametrize(
    "arguments", [{}, {"delay": -1.0}, {"error": "x", "operation": "paint"}, {"error": "x", "times": -1}]
)
def test_a_senseless_fault_is_refused(arguments) -> None:
    with pytest.raises(ValueError, match=r"fault|operation"):
        Fault(**arguments)

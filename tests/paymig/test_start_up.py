"""What the command line costs before it does anything."""

import subprocess
import sys

import pytest

from paymig.cli import COMMANDS

HEAVY = ("boto3", "botocore", "pydantic", "troposphere", "cfnlint", "rich", "psycopg2", "ruamel")


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\n"
        "from paymig.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print('MODULES ' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("deploy", "--help"), ("rehearse", "--help")])
def test_help_imports_nothing_heavy(arguments):
    assert not modules_after(*arguments).intersection(HEAVY)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command):
    done = subprocess.run(
        [sys.executable, "-m", "paymig", command, "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage:" in done.stdout
    if command != "schema":
        assert f"paymig {command}" in done.stdout.split("Usage:")[1].split("\n", 1)[1]


def test_check_contacts_no_aws_sdk(tmp_path):
    assert not modules_after("check", "specs/minimal.yaml").intersection(
        {"boto3", "botocore", "troposphere", "cfnlint"}
    )


def test_completion_of_commands_imports_none_of_them(monkeypatch):
    for name, value in {"_PAYMIG_COMPLETE": "bash_complete", "COMP_WORDS": "paymig s", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)
    code = (
        "import sys\nfrom paymig.cli import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print('MODULES ' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    completions, _, modules = done.stdout.rpartition("MODULES ")
    assert completions.split() == ["plain,schema", "plain,status", "plain,shift", "plain,switchover"]
    assert not any(name.startswith("paymig.commands.") for name in modules.split())

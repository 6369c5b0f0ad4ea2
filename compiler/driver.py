"""The PostgreSQL driver that travels to AWS: one pinned wheel for each runtime and processor.

A wheel is looked up in the user's cache and fetched by pip when it is not there; its hash is checked every time.
`python -m compiler.driver` fills the cache, so that compiling needs no network afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from compiler import cache
from compiler.files import write_atomically

Architecture = Literal["x86_64", "arm64"]

DEFAULT_PYTHON = "3.13"
VERSION = "2.9.13"


class Wheel(NamedTuple):
    """A published build of psycopg2-binary: the platform tag of its file name and the SHA-256 of its bytes."""

    python: str
    platform: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name under which the build is published."""
        tag = "cp" + self.python.replace(".", "")
        return f"psycopg2_binary-{VERSION}-{tag}-{tag}-{self.platform}.whl"


_INTEL = "manylinux2014_x86_64.manylinux_2_17_x86_64"
_ARM = "manylinux_2_27_aarch64.manylinux_2_28_aarch64"

# There is no arm64 build for 3.11: this release wants glibc 2.27 there, and that runtime has 2.26 (Amazon Linux 2).
WHEELS: Mapping[tuple[str, Architecture], Wheel] = MappingProxyType(
    {
        ("3.11", "x86_64"): Wheel("3.11", _INTEL, "930e7e58b33a4f9c39e7532d7a40147925cf3372baed4229cbebe0cf3ba9ce6b"),
        ("3.12", "x86_64"): Wheel("3.12", _INTEL, "e3861eba31f8ea8663fd876166b032fd89179e42aa63764d6feb281f13f9eb60"),
        ("3.13", "x86_64"): Wheel("3.13", _INTEL, "f04ada42bcd537adbaf8b7f3140237a204e452a88d0c1831cfce69f7d2e59f4e"),
        ("3.14", "x86_64"): Wheel("3.14", _INTEL, "190c18b97d9ef72f2e88c451b6588af90d6bd7bf54cb94b963280dc86a2c7076"),
        ("3.12", "arm64"): Wheel("3.12", _ARM, "3dc3372b3731b3ef23407fe06b94f640ef87a2bda242fa386033d5589c87514a"),
        ("3.13", "arm64"): Wheel("3.13", _ARM, "aa37089795bd9701576edc2eb5849ce77a439eda9dfdfa47857449332cfa5292"),
        ("3.14", "arm64"): Wheel("3.14", _ARM, "c00ebe9a2f31151aade0db233dc1446513a95e92c39ce055ee097af0ae86be1c"),
    }
)


class DriverError(Exception):
    """No usable driver: an unsupported runtime, or a wheel that is neither cached nor to be fetched."""


def cache_folder() -> Path:
    """Return where paymig keeps what can be made again."""
    return Path(cache.folder())


def choose(python_version: str, architecture: Architecture) -> Wheel:
    """Return the wheel for a Lambda runtime.

    Args:
        python_version: As "3.13".
        architecture: The function's processor.

    Raises:
        DriverError: No build of the driver runs there.
    """
    wheel = WHEELS.get((python_version, architecture))
    if wheel is None:
        known = ", ".join(f"python{python} on {processor}" for python, processor in sorted(WHEELS))
        raise DriverError(
            f"no PostgreSQL driver for python{python_version} on {architecture}: "
            f"psycopg2-binary {VERSION} runs on {known}. Choose one of these as the function's runtime."
        )
    return wheel


def load(wheel: Wheel) -> bytes:
    """Return the bytes of the wheel, from the cache or else fetched into it.

    Raises:
        DriverError: It is not cached and can't be fetched, or what is there is not the published file.
    """
    path = _path(wheel)
    if not path.is_file():
        write_atomically(path, _checked(wheel, _fetch(wheel), "what the package index delivered"))
    return _checked(wheel, path.read_bytes(), str(path))


def _path(wheel: Wheel) -> Path:
    return cache_folder() / "wheels" / wheel.file_name


def _checked(wheel: Wheel, data: bytes, origin: str) -> bytes:
    import hashlib

    found = hashlib.sha256(data).hexdigest()
    if found != wheel.sha256:
        raise DriverError(
            f"{origin} is not {wheel.file_name} as published: its SHA-256 is {found}, expected {wheel.sha256}. "
            "It may be damaged or replaced: delete it and compile again."
        )
    return data


def _fetch(wheel: Wheel) -> bytes:
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="paymig-driver-") as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
        command += ["--dest", folder, "--no-deps", "--only-binary=:all:", "--python-version", wheel.python]
        for platform in wheel.platform.split("."):
            command += ["--platform", platform]
        done = subprocess.run([*command, f"psycopg2-binary=={VERSION}"], capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or len(found) != 1:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise DriverError(
                f"the PostgreSQL driver {wheel.file_name} is not in the cache and pip could not fetch it ({said}). "
                f"Run `make install` where there is a network, or put that file at {_path(wheel)}."
            )
        return found[0].read_bytes()


def main() -> int:
    """Fill the cache with the wheels of the default runtime and say what was done; return the exit code."""
    for python, architecture in WHEELS:
        if python != DEFAULT_PYTHON:
            continue
        wheel = WHEELS[python, architecture]
        verb = "found" if _path(wheel).is_file() else "fetched"
        try:
            size = len(load(wheel))
        except DriverError as error:
            sys.stderr.write(f"driver: {error}\n")
            return 1
        sys.stdout.write(f"driver: {verb} {wheel.file_name}, {size / 1e6:.1f} MB, in {_path(wheel).parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

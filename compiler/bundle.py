"""Code for Lambda as zip files whose bytes depend on nothing but the code.

The SHA-256 of a bundle is its address in the artefact bucket, so the same code must give the same bytes on every
machine: names are sorted, times and permissions fixed, and nothing is compressed. A deflate stream differs between
zlib releases and zlib-ng; stored, the driver layer is 11.8 MB instead of 4.3 MB, uploaded once for each change.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from compiler import driver
from compiler.files import copy_atomically, write_atomically

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold
_LEFT_OUT = frozenset({"__pycache__", "tests"})
_UNPACKED_LIMIT = 250 * 1024 * 1024  # Lambda's, for a function and its layers together


class BundleError(Exception):
    """Code that can't become a Lambda bundle: says which file, why, and what to change."""


@dataclass(frozen=True)
class Bundle:
    """A zip file for Lambda.

    Attributes:
        name: What it holds, without an extension: "payment_api".
        sha256: Of its bytes, in lower-case hexadecimal.
        content: The bytes, or the cached file that holds them.
    """

    name: str
    sha256: str
    content: bytes | Path

    @cached_property
    def data(self) -> bytes:
        """The bytes of the zip file.

        Raises:
            BundleError: The cached file was changed since it was made.
        """
        if isinstance(self.content, bytes):
            return self.content
        data = self.content.read_bytes()
        if _sha256(data) != self.sha256:
            raise BundleError(
                f"{self.content} is damaged: its SHA-256 is not {self.sha256}. Delete it and compile again."
            )
        return data

    def write(self, path: Path) -> None:
        """Write the bytes to a file, whole or not at all.

        A cached file is copied without hashing it, unlike in `data`: `sha256` is there for whoever uses the copy.
        """
        if isinstance(self.content, bytes):
            write_atomically(path, self.content)
        else:
            copy_atomically(self.content, path)


class _Entry(NamedTuple):
    name: str
    data: bytes
    executable: bool


def bundle_folder(
    path: Path, root_name: str, *, handler: str | None = None, beside: Mapping[str, bytes] = MappingProxyType({})
) -> Bundle:
    """Bundle a folder of Python code.

    Caches, hidden files and folders called `tests` stay out.

    Args:
        path: The folder.
        root_name: Folder of the zip that receives the content; empty puts it at the zip's root.
        handler: When given, as "payment_api.handler.handler", its module must be in the result.
        beside: Further files for the zip's root, by name.

    Raises:
        BundleError: No such folder, no file in it, a symbolic link, too large, or no such handler.
    """
    entries = sorted(_read(path, root_name), key=lambda entry: entry.name)
    if not entries:
        raise BundleError(f"{path} holds no code: there is nothing to run.")
    _check_size(path, sum(len(entry.data) for entry in entries))
    if handler is not None:
        _check_handler(path, {entry.name for entry in entries}, handler)
    entries += [_Entry(name, data, executable=False) for name, data in sorted(beside.items())]
    return _bundle(root_name or path.name, _pack(entries))


def bundle_files(name: str, files: Mapping[str, bytes]) -> Bundle:
    """Bundle files in a folder that is called `name`; their names are relative to it."""
    entries = [_Entry(f"{name}/{file}", data, executable=False) for file, data in sorted(files.items())]
    return _bundle(name, _pack(entries))


def bundle_archive(path: Path, handler: str) -> Bundle:
    """Bundle an operator's own zip file, byte for byte, after checking that Lambda can run it.

    Args:
        path: The zip file.
        handler: As "payment_api.handler.handler"; its module must be in the zip.

    Raises:
        BundleError: Not a readable zip file, a name that leaves its folder, too large, or no such handler.
    """
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError:
        raise BundleError(f"{path} does not exist. Correct the path, or build the zip file first.") from None
    except (BadZipFile, IsADirectoryError) as error:
        raise BundleError(f"{path} is not a zip file ({error}). Give a folder of code or a zip file.") from None
    for member in members:
        parts = member.orig_filename.replace("\\", "/").split("/")
        if parts[0] == "" or parts[0].endswith(":") or ".." in parts:
            raise BundleError(
                f"{path} holds {member.orig_filename!r}, which would be unpacked outside its folder. "
                "Build the zip file from inside the folder of code, with relative names."
            )
    _check_size(path, sum(member.file_size for member in members))
    _check_handler(path, {member.filename for member in members}, handler)
    return _bundle(path.stem, path.read_bytes())


def runtime_layer(python_version: str = driver.DEFAULT_PYTHON, architecture: driver.Architecture = "x86_64") -> Bundle:
    """Return the layer that every function loads: the PostgreSQL driver and `runtime_lambdas.runtime`.

    The driver lies in the folder of its Python version, so no other interpreter tries to load its C extension.
    The finished zip file is cached under everything it was made from.

    Raises:
        driver.DriverError: The driver has no build for this runtime, or can't be fetched.
    """
    import runtime_lambdas

    wheel = driver.choose(python_version, architecture)
    home = Path(runtime_lambdas.__path__[0])
    shared = [
        _Entry("python/runtime_lambdas/__init__.py", (home / "__init__.py").read_bytes(), executable=False),
        *_read(home / "runtime", "python/runtime_lambdas/runtime"),
    ]
    shared.sort(key=lambda entry: entry.name)
    # This file is part of the key, so a change in how a zip is written is never hidden by an old cache.
    key = _sha256(wheel.sha256.encode() + Path(__file__).read_bytes() + repr(shared).encode())[:32]
    name = f"runtime-python{python_version}-{architecture}"
    folder = driver.cache_folder() / "layers"
    for made in folder.glob(f"{key}-*.zip"):
        return Bundle(name, made.stem.partition("-")[2], made)
    packed = _pack(sorted([*shared, *_unpack(wheel)], key=lambda entry: entry.name))
    bundle = _bundle(name, packed)
    write_atomically(folder / f"{key}-{bundle.sha256}.zip", packed)
    return bundle


def _unpack(wheel: driver.Wheel) -> Iterator[_Entry]:
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(BytesIO(driver.load(wheel))) as archive:
        for member in archive.infolist():
            installed = member.filename.partition("/")[0]
            if member.is_dir() or (installed.endswith(".dist-info") and "/licenses/" not in member.filename):
                continue  # only an installer needs the rest of dist-info; the licence has to travel along
            folder = f"python/lib/python{wheel.python}/site-packages/"
            yield _Entry(folder + member.filename, archive.read(member), executable=False)


def _read(path: Path, root_name: str) -> Iterator[_Entry]:
    if not path.is_dir():
        raise BundleError(f"{path} is not a folder. Give the folder that holds the function's code, or a zip file.")
    prefix = f"{root_name}/" if root_name else ""
    for item in path.iterdir():
        if item.name in _LEFT_OUT or item.name.startswith(".") or item.suffix == ".pyc":
            continue
        if item.is_symlink():
            raise BundleError(
                f"{item} is a symbolic link: what it points to differs between machines. Replace it by a copy."
            )
        if item.is_dir():
            yield from _read(item, prefix + item.name)
        else:
            executable = bool(item.stat().st_mode & stat.S_IXUSR)
            yield _Entry(prefix + item.name, item.read_bytes(), executable)


def _pack(entries: Iterable[_Entry]) -> bytes:
    from io import BytesIO
    from zipfile import ZIP_STORED, ZipFile, ZipInfo

    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for entry in entries:
            info = ZipInfo(entry.name, _EPOCH)
            info.create_system = 3  # Unix: otherwise it tells the machine that made the file
            info.external_attr = (stat.S_IFREG | (0o755 if entry.executable else 0o644)) << 16
            archive.writestr(info, entry.data)
    return buffer.getvalue()


def _bundle(name: str, data: bytes) -> Bundle:
    return Bundle(name, _sha256(data), data)


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _check_size(path: Path, size: int) -> None:
    if size > _UNPACKED_LIMIT:
        raise BundleError(
            f"{path} holds {size / 2**20:.0f} MiB of code; Lambda takes {_UNPACKED_LIMIT // 2**20} MiB, "
            "layers included. Leave out what the function does not need."
        )


def _check_handler(path: Path, names: set[str], handler: str) -> None:
    module = handler.rpartition(".")[0].replace(".", "/")
    wanted = (f"{module}.py", f"{module}/__init__.py")
    if not module or names.isdisjoint(wanted):
        raise BundleError(
            f"{path} has no module for the handler {handler!r}: expected {' or '.join(wanted)}. "
            "Correct the handler, or put the module there."
        )

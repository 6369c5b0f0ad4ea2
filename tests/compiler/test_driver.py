import hashlib
import sys
from pathlib import Path

import pytest

from compiler import driver
from compiler.driver import WHEELS, DriverError, Wheel

CONTENT = b"a wheel, as far as the cache can tell"
WHEEL = Wheel("3.13", "manylinux2014_x86_64", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A folder that pip takes packages from, and no network."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_a_wheel_in_the_cache_needs_no_pip(cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    (cache / "wheels").mkdir(parents=True)
    (cache / "wheels" / WHEEL.file_name).write_bytes(CONTENT)
    assert driver.load(WHEEL) == CONTENT


def test_a_damaged_wheel_is_refused(cache):
    (cache / "wheels").mkdir(parents=True)
    (cache / "wheels" / WHEEL.file_name).write_bytes(CONTENT + b"!")
    with pytest.raises(DriverError, match=r"is not psycopg2_binary-.* expected .* delete it"):
        driver.load(WHEEL)


def test_a_missing_wheel_without_network_says_what_to_do(cache, pip):
    with pytest.raises(DriverError, match=r"pip could not fetch it \(.+\)\. Run `make install`.* put that file at"):
        driver.load(WHEEL)
    assert not list(cache.rglob("*.whl"))


def test_a_missing_wheel_is_fetched_once_and_checked(cache, pip):
    wanted = WHEELS["3.13", "x86_64"]
    counterfeit = _wheel_of(pip, wanted)
    with pytest.raises(DriverError, match="what the package index delivered is not"):
        driver.load(wanted)
    assert not list(cache.rglob("*.whl"))
    genuine = Wheel(wanted.python, wanted.platform, hashlib.sha256(counterfeit.read_bytes()).hexdigest())
    assert driver.load(genuine) == counterfeit.read_bytes()
    assert [path.name for path in (cache / "wheels").iterdir()] == [wanted.file_name]
    counterfeit.unlink()
    assert driver.load(genuine)


def _wheel_of(folder: Path, wheel: Wheel) -> Path:
    """Write the smallest wheel that pip accepts under this name."""
    import zipfile

    path = folder / wheel.file_name
    info = f"psycopg2_binary-{driver.VERSION}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: psycopg2-binary\nVersion: {driver.VERSION}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp313-cp313-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize(("python", "processor"), [("3.10", "x86_64"), ("3.11", "arm64"), ("3.13", "riscv64")])
def test_an_unsupported_runtime_names_the_supported_ones(python, processor):
    with pytest.raises(DriverError, match=rf"python{python} on {processor}.*python3.13 on arm64"):
        driver.choose(python, processor)


def test_every_wheel_is_the_one_the_environment_is_pinned_to():
    pinned = (Path(driver.__file__).parents[1] / "requirements.txt").read_text()
    assert f"psycopg2-binary=={driver.VERSION} " in pinned
    for wheel in WHEELS.values():
        assert f"sha256:{wheel.sha256}" in pinned


def test_the_cache_is_where_the_environment_says(monkeypatch, cache):
    assert driver.cache_folder() == cache
    monkeypatch.delenv("PAYMIG_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert driver.cache_folder() == Path("/elsewhere/paymig")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert driver.cache_folder() == Path("/home/someone/.cache/paymig")


def test_prefetching_reports_what_it_did(cache, pip, capsys):
    assert driver.main() == 1
    assert "pip could not fetch it" in capsys.readouterr().err

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime_lambdas
from compiler import driver
from compiler.bundle import Bundle, BundleError, bundle_archive, bundle_folder, runtime_layer

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
FUNCTIONS = Path(runtime_lambdas.__path__[0])

names = st.text("abcxyz_-é", min_size=1, max_size=6).map(lambda text: f"{text}.py")
trees = st.dictionaries(
    st.tuples(st.sampled_from(["", "a", "a/b", "z"]), names), st.binary(max_size=40), min_size=1, max_size=8
)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def members(bundle: Bundle) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@given(trees, st.randoms(use_true_random=False))
def test_the_same_files_give_the_same_bytes(tree: dict, shuffled: random.Random):
    files = {f"{folder}/{name}".lstrip("/"): data for (folder, name), data in tree.items()}
    results = []
    before = os.umask(0o022)
    try:
        for umask in (0o022, 0o077, 0o002):
            os.umask(umask)
            order = list(files)
            shuffled.shuffle(order)
            with tempfile.TemporaryDirectory() as name:
                folder = write(Path(name) / str(umask), {key: files[key] for key in order})
                for item in folder.rglob("*"):
                    moment = shuffled.randrange(10**9)
                    os.utime(item, (moment, moment))
                results.append(bundle_folder(folder, "code"))
    finally:
        os.umask(before)
    assert len({(result.sha256, result.data) for result in results}) == 1
    assert members(results[0]) == {f"code/{name}": data for name, data in files.items()}


def test_one_changed_byte_changes_the_address(tmp_path):
    write(tmp_path, {"handler.py": b"x = 1"})
    first = bundle_folder(tmp_path, "f")
    write(tmp_path, {"handler.py": b"x = 2"})
    assert bundle_folder(tmp_path, "f").sha256 != first.sha256


def test_caches_tests_and_hidden_files_stay_out(tmp_path):
    kept = {"handler.py": b"h", "sub/__init__.py": b"", "latest.py": b"l", "data/rates.json": b"{}"}
    left = [".env", ".git/config", "__pycache__/a.pyc", "old.pyc", "tests/test_a.py", "sub/.DS_Store"]
    write(tmp_path, {**kept, **dict.fromkeys(left, b"no")})
    assert members(bundle_folder(tmp_path, "")) == kept


def test_permissions_and_times_are_fixed(tmp_path):
    write(tmp_path, {"handler.py": b"h", "bin/tool": b"#!"})
    (tmp_path / "bin/tool").chmod(0o711)
    (tmp_path / "handler.py").chmod(0o600)
    with zipfile.ZipFile(io.BytesIO(bundle_folder(tmp_path, "f").data)) as archive:
        found = {item.filename: (item.external_attr >> 16, item.date_time) for item in archive.infolist()}
    epoch = (1980, 1, 1, 0, 0, 0)
    assert found == {"f/bin/tool": (0o100755, epoch), "f/handler.py": (0o100644, epoch)}


def test_a_folder_that_cannot_run_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is not a folder"):
        bundle_folder(tmp_path / "missing", "f")
    with pytest.raises(BundleError, match="nothing to run"):
        bundle_folder(tmp_path, "f")
    write(tmp_path, {"app.py": b""})
    assert bundle_folder(tmp_path, "", handler="app.handler").sha256
    with pytest.raises(BundleError, match=r"expected f/app.py or f/app/__init__.py"):
        bundle_folder(tmp_path, "", handler="f.app.handler")
    (tmp_path / "link.py").symlink_to(tmp_path / "app.py")
    with pytest.raises(BundleError, match="symbolic link"):
        bundle_folder(tmp_path, "f")


def archive_of(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


def test_an_archive_is_taken_byte_for_byte(tmp_path):
    path = archive_of(tmp_path / "mine.zip", "pkg/__init__.py", "pkg/handler.py")
    bundle = bundle_archive(path, "pkg.handler.handler")
    assert (bundle.name, bundle.data) == ("mine", path.read_bytes())
    assert bundle_archive(path, "pkg/handler.run").sha256 == bundle.sha256
    assert bundle_archive(path, "pkg.run").sha256 == bundle.sha256


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "../x.py", "a/../../x.py", "C:/x.py", "..\\x.py", "\\\\host\\x"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, name):
    path = archive_of(tmp_path / "mine.zip", "handler.py", name)
    with pytest.raises(BundleError, match="outside its folder"):
        bundle_archive(path, "handler.handler")


def test_an_archive_that_cannot_run_is_refused(tmp_path):
    with pytest.raises(BundleError, match="does not exist"):
        bundle_archive(tmp_path / "missing.zip", "a.b")
    with pytest.raises(BundleError, match="not a zip file"):
        bundle_archive(write(tmp_path, {"a.zip": b"no zip"}) / "a.zip", "a.b")
    path = archive_of(tmp_path / "b.zip", "handler.py")
    for handler in ("other.handler", "handler", "", "handler.py.x"):
        with pytest.raises(BundleError, match="no module for the handler"):
            bundle_archive(path, handler)


def test_an_archive_too_large_for_lambda_is_refused(tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("handler.py", b"")
        with archive.open("zeros", "w") as member:
            for _ in range(251):
                member.write(bytes(2**20))
    with pytest.raises(BundleError, match="251 MiB"):
        bundle_archive(path, "handler.handler")


needs_this_driver = pytest.mark.skipif(
    (THIS_PYTHON, "x86_64") not in driver.WHEELS or os.uname().machine != "x86_64",
    reason="there is no driver for the interpreter that runs the tests",
)


FOLDERS = ("payment_api", "rollback", "secret_rotation", "switchover", "validation")
REPORT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import psycopg2
for name in json.loads(sys.argv[2]):
    __import__(name + ".handler")
files = {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)}
try:
    psycopg2.connect("host=127.0.0.1 port=1 sslmode=verify-full sslrootcert=system")
except psycopg2.OperationalError as error:
    print(json.dumps([files, str(error)]))
"""


@needs_this_driver
def test_every_function_runs_from_its_zip_and_the_layer(tmp_path):
    unpack(runtime_layer(THIS_PYTHON, "x86_64"), tmp_path / "opt")
    for name in FOLDERS:
        unpack(bundle_folder(FUNCTIONS / name, name, handler=f"{name}.handler.handler"), tmp_path / "task")
    packages = f"opt/python/lib/python{THIS_PYTHON}/site-packages"
    path = json.dumps([str(tmp_path / part) for part in ("task", "opt/python", packages)])
    command = [sys.executable, "-I", "-c", REPORT, path, json.dumps(FOLDERS)]
    files, refusal = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert Path(files["psycopg2"]).is_relative_to(tmp_path / packages)
    for name, file in files.items():
        if name.partition(".")[0] == "runtime_lambdas":
            assert Path(file).is_relative_to(tmp_path / "opt/python"), f"{name} is not in the layer"
        if name.partition(".")[0] in FOLDERS:
            assert Path(file).is_relative_to(tmp_path / "task")
    assert {f"{name}.handler" for name in FOLDERS} <= files.keys()
    assert "Connection refused" in refusal  # it reached the network: the TLS libraries were loaded


def unpack(bundle: Bundle, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        archive.extractall(folder)


@needs_this_driver
def test_a_layer_holds_the_driver_and_the_shared_code_and_no_function():
    found = set(members(runtime_layer(THIS_PYTHON, "x86_64")))
    top = {tuple(name.split("/")[:3]) for name in found}
    assert top == {
        ("python", "lib", f"python{THIS_PYTHON}"),
        *(("python", "runtime_lambdas", n) for n in ("__init__.py", "runtime")),
    }
    assert {name.split("/")[4] for name in found if "/lib/" in name} == {
        "psycopg2",
        "psycopg2_binary.libs",
        f"psycopg2_binary-{driver.VERSION}.dist-info",
    }
    assert any(name.endswith("LICENSE") for name in found)


@needs_this_driver
def test_a_layer_is_built_once_and_checked_when_read(tmp_path, monkeypatch):
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(driver, "load", lambda wheel, load=driver.load: loads.append(wheel) or load(wheel))
    loads: list[driver.Wheel] = []
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = driver.choose(THIS_PYTHON, "x86_64")
    monkeypatch.delenv("PAYMIG_CACHE_DIR")
    (wheels / wheel.file_name).write_bytes(driver.load(wheel))
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(tmp_path))
    loads.clear()
    first = runtime_layer(THIS_PYTHON, "x86_64")
    started = time.perf_counter()
    second = runtime_layer(THIS_PYTHON, "x86_64")
    assert time.perf_counter() - started < 0.05
    assert loads == [wheel]
    assert (second.sha256, second.data) == (first.sha256, first.data)
    [made] = (tmp_path / "layers").iterdir()
    made.write_bytes(b"damaged")
    with pytest.raises(BundleError, match="is damaged"):
        _ = runtime_layer(THIS_PYTHON, "x86_64").data


def test_importing_the_bundler_is_cheap():
    code = (
        "import sys, compiler.bundle; print(sorted({'zipfile', 'hashlib', 'subprocess', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

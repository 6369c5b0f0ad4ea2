"""A command over unchanged files is known without running it; any change of what it depends on is noticed."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compiler import cache
from paymig.stamp import Stamp
from tests.paymig.conftest import SPECS

SAID = "11 templates\n"
RUN = "from paymig.__main__ import main; main()"
LATER = 0.05  # more than a file system needs to tell two changes apart


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What a command read and wrote, long enough ago."""
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in (
        "spec.yaml",
        "code/app.py",
        "code/deep/part.py",
        "code/deep/data.json",
        "out/root.json",
        "out/api.zip",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"the content of {name}")
    time.sleep(LATER)
    return tmp_path


def kept(*arguments: str) -> Stamp:
    stamp = Stamp(arguments)
    stamp.keep(SAID, ["spec.yaml", "code"], ["out"])
    return Stamp(arguments)


CHANGES = {
    "content": lambda: Path("spec.yaml").write_text("something else"),
    "content of the same size": lambda: Path("spec.yaml").write_text("THE content of spec.yaml"),
    "content, with the old times": lambda: with_old_times(Path("spec.yaml")),
    "another file in its place": lambda: replaced(Path("spec.yaml")),
    "gone": lambda: Path("spec.yaml").unlink(),
    "a file of the code": lambda: Path("code/deep/part.py").write_text("pass"),
    "a file of the code gone": lambda: Path("code/deep/data.json").unlink(),
    "a file more": lambda: Path("code/deep/more.py").write_text(""),
    "an empty folder more": lambda: Path("code/deep/more").mkdir(),
    "a file renamed": lambda: Path("code/app.py").rename("code/application.py"),
    "a file executable": lambda: Path("code/app.py").chmod(0o755),
    "the folder of code a file": lambda: (shutil.rmtree("code"), Path("code").write_text("PK")),
    "the folder of code a link": lambda: (Path("code").rename("elsewhere"), shutil.copytree("elsewhere", "other"),
                                          Path("code").symlink_to("other")),
    "an output damaged": lambda: Path("out/root.json").write_text("THE content of out/root.json"),
    "an output gone": lambda: Path("out/api.zip").unlink(),
    "an output more": lambda: Path("out/other.json").write_text("{}"),
    "no output at all": lambda: shutil.rmtree("out"),
}  # fmt: skip


def with_old_times(file: Path) -> None:
    before = file.stat()
    file.write_text("THE content of spec.yaml")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path) -> None:
    """Put a copy with the same content and times there, as a program does that writes a file aside first."""
    shutil.copy2(file, "aside")
    Path("aside").replace(file)


def test_unchanged_is_known(files):
    assert kept("compile").said() == SAID
    assert Stamp(["compile"]).said() == SAID


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(files, change):
    stamp = kept("compile")
    assert stamp.said() == SAID
    CHANGES[change]()
    assert stamp.said() is None


def test_python_s_own_files_are_no_change(files):
    stamp = kept("compile")
    Path("code/__pycache__").mkdir()
    assert stamp.said() == SAID


def test_another_command_folder_or_python_is_another_request(files, monkeypatch):
    kept("compile", "spec.yaml")
    assert Stamp(["compile", "spec.yaml"]).said() == SAID
    assert Stamp(["compile", "spec.yaml", "--lint"]).said() is None
    assert Stamp(["compile", "spec", ".yaml"]).said() is None
    with monkeypatch.context() as patch:
        patch.chdir("code")
        assert Stamp(["compile", "spec.yaml"]).said() is None
    for name, value in (("executable", "/elsewhere/python"), ("version", "4.0"), ("path", [*sys.path, "/more"])):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, value)
            assert Stamp(["compile", "spec.yaml"]).said() is None


def test_a_stamp_of_the_same_name_but_of_another_request_is_not_ours(files, monkeypatch):
    monkeypatch.setattr("zlib.crc32", lambda _: 7)
    kept("compile", "one")
    assert Stamp(["compile", "one"]).said() == SAID
    assert Stamp(["compile", "another"]).said() is None


@pytest.mark.parametrize("change", ["spec.yaml", "code/deep/part.py", "code/deep"])
def test_what_changes_while_the_command_runs_gives_no_stamp(files, change):
    stamp = Stamp(["compile"])
    touched = Path(change)
    if touched.is_dir():
        (touched / "part.py").unlink()  # it was read before
    else:
        touched.write_text("changed after it was read")
    stamp.keep(SAID, ["spec.yaml", "code"], ["out"])
    assert Stamp(["compile"]).said() is None


@pytest.mark.parametrize("content", ["", "nonsense", "\0", "\0\0\0\0", "\udc80"])
def test_a_damaged_stamp_is_none(files, content):
    stamp = kept("compile")
    file = Path(stamp._path)
    for damaged in (content, file.read_text()[:-1], file.read_text().rpartition("\0")[0]):
        file.write_bytes(damaged.encode(errors="surrogateescape"))
        assert stamp.said() is None


def test_old_stamps_are_deleted(files):
    old = Path(kept("compile", "old")._path)
    os.utime(old, (0, 0))
    new = Path(kept("compile", "new")._path)
    assert new.exists() and not old.exists()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a spec that names files of every kind, one of them in another environment only."""
    fresh = tmp_path / "cache"
    fresh.mkdir()
    for kind in ("layers", "wheels"):
        (Path(cache.folder()) / kind).mkdir(parents=True, exist_ok=True)
        (fresh / kind).symlink_to(Path(cache.folder()) / kind)
    monkeypatch.setenv("PAYMIG_CACHE_DIR", str(fresh))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    folder = tmp_path / "home"
    shutil.copytree(SPECS, folder)
    (folder / "app").mkdir()
    (folder / "app" / "main.py").write_text("def handler(event, context):\n    return {}\n")
    (folder / "audit.yaml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}\n")
    (folder / "staging.pem").write_text((folder / "onprem-ca.pem").read_text())
    spec = folder / "payments.yaml"
    text = spec.read_text().replace("code: builtin:payment_api", "code: app\n  handler: main.handler")
    text = text.replace("  handler: payment_api.handler.handler\n", "")
    text = text.replace("\nextensions:", "\nextensions:\n  audit: {stack: audit.yaml}")
    text = text.replace("\nenvironments:", "\nenvironments:\n  drill: {source: {database: {tls: {ca: staging.pem}}}}")
    spec.write_text(text)
    time.sleep(LATER)
    return folder


def run(home: Path, *arguments: str, code: str = RUN) -> str:
    command = [sys.executable, "-c", code, "compile", *arguments]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout


WATCHED = """
import json, os, sys
seen = set()
def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        if event != "open" or not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            seen.add(os.path.abspath(os.fsdecode(arguments[0])))
import paymig.stamp
sys.addaudithook(hook)
from paymig.__main__ import main
try:
    main()
finally:
    watched = set(seen)
    stamp = paymig.stamp.cache.read(paymig.stamp.Stamp(sys.argv[1:])._path)
    sys.stderr.write(json.dumps([sorted(watched), stamp.split("\\0")[2::2]]))
"""


def source(path: str) -> str:
    """The source of a compiled module."""
    file = Path(path)
    return str(file.parents[1] / f"{file.name.partition('.')[0]}.py") if file.parent.name == "__pycache__" else path


def test_all_that_a_compile_reads_is_a_part_of_its_stamp(home):
    command = [sys.executable, "-c", WATCHED, "compile", "payments.yaml", "-o", "out"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    read, tracked = json.loads(done.stderr)
    known = {path.rstrip("/") for path in tracked}
    own = (str(home / "out"), str(home.parent / "cache"), os.path.realpath(cache.folder()))
    missed = {
        path
        for path in map(source, read)
        # The importer lists the folders that it looks for modules in.
        if not {path, f"{path}/__init__.py"} & {*known, str(home), *sys.path}
        and not path.startswith((*own, "/proc/", "/dev/"))
    }
    outside = ("/site-packages/", sys.base_prefix)
    assert not {path for path in missed if not any(part in path for part in outside)}
    for name in ("payments.yaml", "onprem-ca.pem", "staging.pem", "audit.yaml", "patches/database.yaml", "app/main.py"):
        assert str(home / name) in known
    assert str(home / "app") in known


def test_the_second_compile_runs_nothing_and_says_the_same(home):
    first = run(home, "payments.yaml", "-o", "out", "--all-environments", "--format", "json")
    written = {path: path.stat().st_mtime_ns for path in (home / "out").rglob("*")}
    assert {path.parent.name for path in written if path.name == "manifest.json"} == set(
        json.loads(first)["environments"]
    )
    loaded = RUN + "; import sys; sys.stderr.write(' '.join(sys.modules))"
    command = [sys.executable, "-c", loaded, "compile", "payments.yaml", "-o", "out", "--all-environments"]
    second = subprocess.run([*command, "--format", "json"], cwd=home, capture_output=True, text=True, check=True)
    assert second.stdout == first
    assert {"click", "pydantic", "troposphere", "json", "re", "pathlib", "typing"}.isdisjoint(second.stderr.split())
    assert {path: path.stat().st_mtime_ns for path in (home / "out").rglob("*")} == written


def test_a_damaged_output_is_written_again(home):
    first = run(home, "payments.yaml", "-o", "out")
    template = home / "out" / "templates" / "network.json"
    whole = template.read_bytes()
    template.write_bytes(whole.replace(b"Vpc", b"Vpd"))
    assert run(home, "payments.yaml", "-o", "out") == first
    assert template.read_bytes() == whole


def test_an_error_is_told_every_time(home):
    (home / "staging.pem").unlink()
    for _ in range(2):
        with pytest.raises(subprocess.CalledProcessError) as failed:
            run(home, "payments.yaml", "-o", "out")
        assert "staging.pem" in failed.value.stderr

"""The wheel: what it puts into an environment, and that it works there."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_top_level_names(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "paymig", "compiler", "schemas", "runtime_lambdas",
    }  # fmt: skip


def test_every_source_file_is_in_the_wheel(wheel):
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    packages = ["paymig", "compiler", "schemas", "runtime_lambdas"]
    tracked = subprocess.run([*listed, *packages], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert set(tracked) - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_an_installed_wheel_compiles_a_spec(wheel, tmp_path):
    """The wheel works in an environment that has no editable install of the checkout."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    # A plain path entry: the editable install's own .pth file in that folder is not followed.
    (site / "dependencies.pth").write_text(dependencies + "\n")
    run = [python, "-m", "paymig"]
    subprocess.run([*run, "init"], cwd=tmp_path, check=True)
    shutil.copy(ROOT / "specs" / "onprem-ca.pem", tmp_path)
    subprocess.run([*run, "compile", "-o", "out"], cwd=tmp_path, check=True)
    assert (tmp_path / "out" / "templates" / "root.json").is_file()
    where = [python, "-c", "import compiler; print(compiler.__file__)"]
    printed = subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert Path(printed.strip()).is_relative_to(site)

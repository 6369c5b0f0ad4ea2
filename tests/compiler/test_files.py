"""Files of ours: whole or absent, and the JSON that `json` would write."""

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.bundle import Bundle
from compiler.files import copy_atomically, write_atomically
from compiler.json_text import to_json

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.dictionaries(st.integers(), inner),
)


@given(DATA)
def test_json_is_what_the_standard_library_writes(data):
    expected = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert to_json(data) == expected.encode("utf-8")


def test_json_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_json({"a": [object()]})


def write(path):
    write_atomically(path, b"data")


def copy(path):
    with NamedTemporaryFile() as source:  # for its owner alone, unlike the copy
        source.write(b"data")
        source.flush()
        copy_atomically(Path(source.name), path)


@pytest.mark.parametrize("make", [write, copy])
def test_a_file_appears_whole_with_the_permissions_of_its_folder(make, tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    mask = os.umask(0o027)
    try:
        make(path)
    finally:
        os.umask(mask)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"data", 0o640)
    make(path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("make", [write, copy])
def test_a_failed_write_leaves_nothing_behind(make, tmp_path):
    path = tmp_path / "folder" / "file"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        make(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_cached_bundle_is_copied(tmp_path):
    cached, made = tmp_path / "cached.zip", tmp_path / "made.zip"
    cached.write_bytes(b"zip")
    Bundle("runtime", "", cached).write(made)
    assert made.read_bytes() == b"zip"
    assert not made.samefile(cached)

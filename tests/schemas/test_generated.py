"""Writing generated files, and telling which are stale."""

from schemas.generated import write_or_check


def test_a_stale_file_is_named_and_only_written_when_asked(monkeypatch, tmp_path, capsys):
    fresh, stale = tmp_path / "fresh.md", tmp_path / "stale.md"
    fresh.write_text("same")
    files = {fresh: "same", stale: "new"}
    monkeypatch.setattr("sys.argv", ["module", "--check"])
    assert write_or_check("some.module", files) == 1
    assert capsys.readouterr().err == "stale.md is stale: run python -m some.module\n"
    assert not stale.exists()
    monkeypatch.setattr("sys.argv", ["module"])
    assert write_or_check("some.module", files) == 0
    assert stale.read_text() == "new"
    monkeypatch.setattr("sys.argv", ["module", "--check"])
    assert write_or_check("some.module", files) == 0

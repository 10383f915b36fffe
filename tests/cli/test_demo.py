"""`eunoe demo`: it succeeds when the memory survived, and only then."""

from pathlib import Path

from tests.cli.conftest import Shell


def test_what_a_model_wrote_down_survives(shell: Shell, diligent_url: str, tmp_path: Path) -> None:
    diligent = shell.with_variables(
        {
            "OPENAI_BASE_URL": diligent_url,
            "EUNOE_DATABASE_URL": f"sqlite:///{tmp_path}/not-this-one.db",
            "EUNOE_PASSWORD": "unused",
        }
    )
    done = diligent.run("demo", "--data-dir", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("+ My name is Ada.", "My dog is called Biscuit.", "✓ All three facts survived"):
        assert text in done.stdout
    assert (tmp_path / "kept/eunoe.db").exists()
    assert not (tmp_path / "not-this-one.db").exists()


def test_a_model_that_writes_nothing_down_is_no_success(with_model: Shell) -> None:
    done = with_model.run("demo", "--model", "openai/scripted-1")
    assert done.returncode == 1
    assert "never wrote down: My name is Ada." in done.stdout


def test_a_server_that_cannot_start_is_said(with_model: Shell, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "eunoe.db").write_bytes(b"not a database " * 1000)
    done = with_model.run("demo", "--data-dir", str(kept))
    assert done.returncode == 1
    assert "The server did not start" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.splitlines()[0]


def test_a_model_that_fails_is_said(with_model: Shell) -> None:
    done = with_model.run("demo", "--model", "openai/nothing")
    assert done.returncode == 1
    assert "HTTP 404" in done.stderr

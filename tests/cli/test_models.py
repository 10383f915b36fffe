"""`eunoe models`: what can run here, what is here, and what providers serve."""

from pathlib import Path

from tests.cli.conftest import Shell


def test_the_list_says_what_is_here_and_what_is_served(with_model: Shell, tmp_path: Path) -> None:
    weights = tmp_path / "data/models"
    weights.mkdir(parents=True)
    (weights / "mine.gguf").write_bytes(b"GGUF" + bytes(3 * 1024 * 1024))
    wide = with_model.with_variables({"COLUMNS": "200"})
    done = wide.run("models", "list")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["local/qwen2.5-coder-0.5b"][:2] == ["no", "469"]
    assert rows["local/mine"][:2] == ["yes", "3"]
    assert "openai/scripted-1" in rows


def test_a_provider_that_does_not_answer_is_said(shell: Shell) -> None:
    done = shell.with_variables({"OLLAMA_BASE_URL": "http://127.0.0.1:9"}).run("models", "list")
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout


def test_weights_that_nobody_knows_are_not_fetched(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("models", "pull", "gpt-9")
    assert done.returncode == 1
    assert "qwen2.5-coder-0.5b" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_weights_that_cannot_be_fetched_are_said(shell: Shell) -> None:
    # A proxy that is not there, so that the test needs no network and uses none.
    closed = "http://127.0.0.1:9"
    offline = shell.with_variables({"HTTPS_PROXY": closed, "HTTP_PROXY": closed})
    done = offline.run("models", "pull", "all-minilm-l6-v2")
    assert done.returncode == 1
    assert "cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr

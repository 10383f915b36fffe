"""`eunoe server`: it says where it is, keeps to its address and its password, and stops well."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from eunoe.cli.client import Client
from tests.cli.conftest import Shell

Connect = Callable[..., Client]


def test_it_says_where_it_is_what_it_serves_and_what_to_try(
    with_model: Shell, tmp_path: Path
) -> None:
    with with_model.serving("--port", "0") as server:
        text = "\n".join(server.out)
        assert "openai/scripted-1" in text
        assert str(tmp_path / "data/eunoe.db") in text
        assert f"Try: eunoe chat --url {server.url}" in text
        assert httpx.get(f"{server.url}/v1/health/").json()["status"] == "ok"
    for line in server.err.read_text().splitlines():
        assert json.loads(line)["level"] == "info"


def test_without_a_model_it_starts_and_says_how_to_get_one(shell: Shell) -> None:
    with shell.serving("--port", "0") as server:
        assert "OPENAI_API_KEY" in "\n".join(server.out)


def test_a_provider_that_cannot_be_reached_is_named_with_the_reason(shell: Shell) -> None:
    away = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    with shell.with_variables(away).serving("--port", "0") as server:
        rows = dict(line.split(maxsplit=1) for line in server.out if line.startswith("  "))
    assert rows["models"] == "none"
    assert rows["openai"].startswith("http://127.0.0.1:9/v1: openai cannot be reached: ")
    assert "check the address" in rows["openai"]
    assert rows["openai"].endswith("its models are served once it answers")


def test_a_file_of_data_has_one_server(shell: Shell) -> None:
    with shell.serving("--port", "0"):
        second = shell.run("server", "--port", "0")
        assert second.returncode == 1
        assert "A server or another command has the database open" in second.stderr
        assert shell.run("db", "backup", "copy.db").returncode == 0
    with shell.serving("--port", "0") as again:
        assert again.url


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_stops_when_told_to(shell: Shell, how: signal.Signals, code: int) -> None:
    with shell.serving("--port", "0") as server:
        assert server.stop(how) == code
        assert "Traceback" not in server.err.read_text()
    assert shell.run("db", "check").returncode == 0


def test_a_reader_of_a_stream_does_not_hold_it_up(with_model: Shell, connect: Connect) -> None:
    short = with_model.with_variables({"EUNOE_SHUTDOWN_GRACE_S": "1"})
    with short.serving("--port", "0") as server:
        client = connect(server.url)
        agent = client.create_agent(name=None, model="openai/scripted-1", blocks={})
        stream = client.send(agent.id, "SLOW 60000 hello")
        next(stream)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_an_address_that_is_taken_is_a_sentence(shell: Shell) -> None:
    with shell.serving("--port", "0") as server:
        port = server.url.rsplit(":", 1)[1]
        done = shell.run("server", "--port", port)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_had_is_a_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    done = shell.run("server", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("eunoe: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.rule("api-1.11")
def test_a_secure_server_makes_up_a_password_and_wants_it(shell: Shell, connect: Connect) -> None:
    with shell.serving("--port", "0", "--secure") as server:
        (line,) = [line for line in server.out if line.strip().startswith("password")]
        password = line.split()[1]
        assert httpx.get(f"{server.url}/v1/agents/").status_code == 401
        assert connect(server.url, password).agents() == []


@pytest.mark.rule("api-1.11")
def test_a_set_password_is_kept_and_not_shown(shell: Shell) -> None:
    guarded = shell.with_variables({"LETTA_SERVER_PASSWORD": "correct horse"})
    with guarded.serving("--port", "0", "--secure") as server:
        assert httpx.get(f"{server.url}/v1/agents/").status_code == 401
        bearer = {"authorization": "Bearer correct horse"}
        assert httpx.get(f"{server.url}/v1/agents/", headers=bearer).status_code == 200
        assert "correct horse" not in "\n".join(server.out)
        absent = shell.run("chat", "--url", server.url)
        assert "wants a password or a key" in absent.stderr
        wrong = shell.with_variables({"EUNOE_PASSWORD": "wrong"}).run("chat", "--url", server.url)
        assert "refuses what was brought" in wrong.stderr
    assert "correct horse" not in server.err.read_text()

"""The command line without a server: help, mistakes, and the database."""

import shlex
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused, so never bound


def test_help_is_quick_and_names_every_command(shell: Shell) -> None:
    started = time.perf_counter()
    done = shell.run_cold("--help")
    assert time.perf_counter() - started < 2, "0.2 s where nothing else runs"
    assert done.returncode == 0
    for command in (
        "server",
        "worker",
        "chat",
        "demo",
        "doctor",
        "db",
        "models",
        "secrets",
        "version",
    ):
        assert f" {command} " in done.stdout


def test_help_imports_nothing_that_a_command_needs(shell: Shell) -> None:
    traced = shell.with_variables({"PYTHONPROFILEIMPORTTIME": "1"}).run_cold("--help")
    imported = {line.rsplit("|", 1)[-1].strip() for line in traced.stderr.splitlines()}
    assert "typer" in imported
    assert imported & {"fastapi", "uvicorn", "httpx", "pydantic", "asyncio", "apsw"} == set()


def test_the_version_is_printed(shell: Shell) -> None:
    assert shell.run_cold("version").stdout.strip() == version("eunoe")


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (["frobnicate"], {}, "No such command"),
        (["server", "--port", "many"], {}, "valid integer"),
        (["server", "--port", "99999"], {}, "less than or equal to 65535"),
        (["server", "--host", EVERYWHERE], {}, "EUNOE_PASSWORD"),
        (["server", "--workers", "2"], {}, "EUNOE_DATABASE_URL=postgresql://"),
        (["worker"], {}, "EUNOE_DATABASE_URL=postgresql://"),
        (["server", "--workers", "0"], {}, "greater than or equal to 1"),
        (["server"], {"EUNOE_DATABSE_URL": "x"}, "did you mean EUNOE_DATABASE_URL?"),
        (["db", "check"], {"EUNOE_DATABASE_URL": "mysql://x"}, "postgresql://"),
        (["chat", "a", "b"], {}, "unexpected extra argument"),
        (["costs", "--by", "week"], {}, "not one of 'agent', 'model'"),
        (["budgets", "set", "organization", "week", "1"], {}, "not one of 'day', 'month'"),
        (["audit", "--limit", "0"], {}, "greater than or equal to 1"),
        (["server", "--port", "0"], {"EUNOE_ENCRYPTION_KEY": "hunter2"}, "eunoe secrets key"),
        (["server", "--port", "0"], {"EUNOE_PRICES": "/nowhere"}, "EUNOE_PRICES: /nowhere cannot"),
        (["server", "--port", "0"], {"OPENAI_BASE_URL": "http://[x"}, "OPENAI_BASE_URL is no URL"),
        (["models", "list"], {"OPENAI_API_KEY": "schlüssel"}, "OPENAI_API_KEY or OPENAI_BASE_URL"),
        (["audit", "--url", "localhost:8283"], {}, "write http:// or https:// before it"),
        (["budgets", "set", "organization", "day", "nan"], {}, "less than or equal to 1000000000"),
        (["costs", "--days", "1e300"], {}, "less than or equal to 36500"),
        (["keys", "create", "a", "--days", "1e300"], {}, "less than or equal to 36500"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    shell: Shell, arguments: list[str], variables: dict[str, str], sentence: str
) -> None:
    done = shell.with_variables(variables).run(*arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_database_is_made_checked_and_copied(shell: Shell, tmp_path: Path) -> None:
    made = shell.run("db", "upgrade")
    assert made.returncode == 0
    assert "upgraded from nothing" in made.stdout
    assert "was up to date" in shell.run("db", "upgrade").stdout
    assert "nothing is wrong" in shell.run("db", "check").stdout
    copy = tmp_path / "copy.db"
    assert shell.run("db", "backup", str(copy)).returncode == 0
    with sqlite3.connect(copy) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    again = shell.run("db", "backup", str(copy))
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)


@pytest.mark.parametrize("deed", [["backup", "copy.db"], ["verify"]])
def test_a_database_that_is_not_there_is_neither_copied_nor_made(
    shell: Shell, tmp_path: Path, deed: list[str]
) -> None:
    done = shell.run("db", *deed)
    assert done.returncode == 1
    assert f"There is no database {tmp_path / 'data/eunoe.db'}" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_made_is_a_sentence(shell: Shell) -> None:
    shell.run("db", "upgrade")
    done = shell.run("db", "backup", "nowhere/copy.db")
    assert done.returncode == 1
    assert done.stderr == "eunoe: nowhere/copy.db.part: No such file or directory.\n"


def test_secrets_are_sealed_anew_with_the_newest_key(shell: Shell) -> None:
    old, new = (shell.run("secrets", "key").stdout.strip() for _ in range(2))
    assert len({old, new}) == 2

    done = shell.with_variables({"EUNOE_ENCRYPTION_KEY": f"{new},{old}"}).run("secrets", "rotate")

    assert (done.returncode, "0 secrets sealed" in done.stdout) == (0, True), done.stderr


def test_damage_is_found(shell: Shell, tmp_path: Path) -> None:
    shell.run("db", "upgrade")
    file = tmp_path / "data/eunoe.db"
    data = bytearray(file.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    file.write_bytes(data)
    done = shell.run("db", "check")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_without_a_server_chat_says_how_to_start_one(shell: Shell) -> None:
    done = shell.run("chat", "--url", "http://127.0.0.1:9", said="hello\n")
    assert done.returncode == 1
    assert "start one with: eunoe server" in done.stderr


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")


def test_chat_says_that_what_answers_is_no_server(shell: Shell) -> None:
    with HTTPServer(("127.0.0.1", 0), _Page) as pages:
        threading.Thread(target=pages.handle_request).start()
        url = f"http://127.0.0.1:{pages.server_port}"
        done = shell.run("chat", "--url", url, said="hello\n")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"What answers at {url}/v1/agents/" in done.stderr


def test_the_doctor_finds_what_is_wrong_and_how_to_mend_it(shell: Shell) -> None:
    done = shell.with_variables({"OPENAI_BASE_URL": "http://127.0.0.1:9", "EUNOE_PORT": "0"}).run(
        "doctor"
    )
    assert done.returncode == 1
    assert "✗ openai" in done.stdout
    assert "→ check the address" in done.stdout
    unset = shell.run("doctor")
    assert unset.returncode == 1
    assert "OPENAI_API_KEY" in unset.stdout
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        used = shell.with_variables({"EUNOE_PORT": port}).run("doctor").stdout
    assert f"✗ port         127.0.0.1:{port}\n" in used
    assert "EUNOE_PORT" in used.split("✗ port")[1].splitlines()[1]
    wrong = shell.with_variables({"EUNOE_PORT": "x"}).run("doctor")
    assert (wrong.returncode, "✗ settings" in wrong.stdout) == (1, True)


def test_the_doctor_finds_nothing_where_nothing_is_wrong(with_model: Shell) -> None:
    done = with_model.with_variables({"EUNOE_PORT": "0"}).run("doctor")
    assert done.returncode == 0, done.stdout
    assert "✓ openai" in done.stdout
    assert "✗" not in done.stdout


def test_what_the_doctor_has_installed_can_be(shell: Shell) -> None:
    """By the pip of the Python that runs it, wherever that is: no index has Eunoe."""
    off = shell.run("doctor").stdout
    assert "EUNOE_LOCAL_MODEL=auto" in off
    assert "pip install" not in off
    hiding = "import sys; sys.modules['xllamacpp'] = None; from eunoe.cli.main import main; main()"

    def run(*command: str) -> "subprocess.CompletedProcess[str]":
        plain = {**shell.environment, "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=plain, capture_output=True, text=True, check=False)

    _, _, command = run(sys.executable, "-c", hiding, "doctor").stdout.partition("local model: ")
    tried = run(*shlex.split(command.splitlines()[0]), "--dry-run", "--no-index")
    assert tried.returncode == 0, tried.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="llama.cpp takes it from the system there")
def test_a_library_that_the_local_model_lacks_is_told_before_it_is_fetched(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "libgomp.so.1").touch()
    lacking = shell.with_variables(
        {"LD_LIBRARY_PATH": str(tmp_path), "EUNOE_LOCAL_MODEL": "on", "EUNOE_PORT": "0"}
    )
    for command in ("doctor", "server"):
        done = lacking.run_cold(command)
        assert done.returncode == 1
        assert "apt install libgomp1" in done.stdout + done.stderr


def test_a_terminal_that_lacks_a_sign_is_spared_it(shell: Shell) -> None:
    done = shell.with_variables({"PYTHONIOENCODING": "ascii", "EUNOE_PORT": "0"}).run_cold("doctor")
    assert "? python" in done.stdout, done.stderr


def test_the_doctor_makes_nothing(shell: Shell, tmp_path: Path) -> None:
    shell.run("doctor")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (None, ("✓ sandbox",)),
        ("exit 0", ("✓ sandbox", "can be made")),
        ("echo no namespaces >&2; exit 1", ("! sandbox", "no namespaces", "user namespaces")),
        (
            "echo bwrap: No permissions to create new namespace, likely because the kernel >&2; exit 1",
            (
                "! sandbox",
                "the seccomp profile of a container",
                "--security-opt seccomp=unconfined",
            ),
        ),
    ],
)
def test_the_doctor_tries_the_sandbox(
    shell: Shell, tmp_path: Path, program: str | None, says: tuple[str, ...]
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if program is not None:
        (programs / "bwrap").write_text(f"#!/bin/sh\n{program}\n")
        (programs / "bwrap").chmod(0o755)
    done = shell.with_variables({"PATH": str(programs)}).run("doctor")
    assert all(one in done.stdout for one in says), done.stdout
